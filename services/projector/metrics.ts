import { Counter, Gauge, Histogram } from 'prom-client';
import { registry } from '#chassis/metrics.ts';

const registers = [registry];

export const metrics = {
  lag: new Gauge({
    name: 'ravenhelm_projector_lag_records',
    help: 'Records that are not folded yet, by topic and partition, when the last batch was',
    labelNames: ['topic', 'partition'],
    registers,
  }),
  rows: new Counter({
    name: 'ravenhelm_projector_rows_total',
    help: 'Rows written, by table',
    labelNames: ['table'],
    registers,
  }),
  batchSeconds: new Histogram({
    name: 'ravenhelm_projector_batch_seconds',
    help: 'Time to fold a batch and commit it, by topic',
    labelNames: ['topic'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  }),
  passedOver: new Counter({
    name: 'ravenhelm_projector_passed_over_total',
    help: 'Records that could not be folded, by topic; table projection_errors has them',
    labelNames: ['topic'],
    registers,
  }),
  fenced: new Counter({
    name: 'ravenhelm_projector_fenced_total',
    help: 'Batches that were rolled back because the partition had been folded elsewhere',
    registers,
  }),
};
