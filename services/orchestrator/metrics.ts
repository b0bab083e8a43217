import { Counter } from 'prom-client';
import { registry } from '#chassis/metrics.ts';

const registers = [registry];

export const metrics = {
  timersFailed: new Counter({
    name: 'ravenhelm_timers_failed_total',
    help: 'Timers that could not be decided, and are tried again, by timer and failure code',
    labelNames: ['timer', 'code'],
    registers,
  }),
  resent: new Counter({
    name: 'ravenhelm_assignments_resent_total',
    help: 'Assignments that were sent again as nobody had begun them, by role',
    labelNames: ['role'],
    registers,
  }),
  tooLarge: new Counter({
    name: 'ravenhelm_missions_too_large_total',
    help: 'Decisions that were dropped as a record of them would have been too large',
    registers,
  }),
};
