import { Counter } from 'prom-client';
import { registry } from '#chassis/metrics.ts';

export const reported = new Counter({
  name: 'ravenhelm_reactions_total',
  help: 'What the correlator reported or submitted, by event type',
  labelNames: ['event_type'],
  registers: [registry],
});
