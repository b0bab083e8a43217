import { Counter } from 'prom-client';
import { registry } from '#chassis/metrics.ts';

const registers = [registry];

export const metrics = {
  sentBack: new Counter({
    name: 'ravenhelm_retrier_sent_back_total',
    help: 'Records that waited and went back to their topic',
    registers,
  }),
  recorded: new Counter({
    name: 'ravenhelm_retrier_letters_total',
    help: 'Dead letters recorded, by failure code',
    labelNames: ['code'],
    registers,
  }),
  redriven: new Counter({
    name: 'ravenhelm_retrier_redriven_total',
    help: 'Dead letters sent again',
    registers,
  }),
};
