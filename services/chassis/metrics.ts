import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export const registry = new Registry();
collectDefaultMetrics({ register: registry });

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const registers = [registry];

/** Every metric of the chassis, by the field's names: counters end in _total, times are in seconds. */
export const metrics = {
  records: new Counter({
    name: 'ravenhelm_records_total',
    help: 'Input records taken, by topic',
    labelNames: ['topic'],
    registers,
  }),
  ignored: new Counter({
    name: 'ravenhelm_ignored_total',
    help: 'Inputs that changed nothing, by reason',
    labelNames: ['reason'],
    registers,
  }),
  deadLetters: new Counter({
    name: 'ravenhelm_dead_letters_total',
    help: 'Records sent to the dead letter topic, by failure code',
    labelNames: ['code'],
    registers,
  }),
  waiting: new Counter({
    name: 'ravenhelm_records_retried_total',
    help: 'Records put aside to be tried again, by failure code',
    labelNames: ['code'],
    registers,
  }),
  commits: new Counter({
    name: 'ravenhelm_commits_total',
    help: 'Transactions, by outcome',
    labelNames: ['outcome'],
    registers,
  }),
  commitSeconds: new Histogram({
    name: 'ravenhelm_commit_seconds',
    help: 'Time of a transaction, from its first send to its commit',
    buckets: seconds,
    registers,
  }),
  commitRecords: new Histogram({
    name: 'ravenhelm_commit_records',
    help: 'Records in a transaction',
    buckets: [1, 3, 10, 30, 100, 300, 1000, 3000],
    registers,
  }),
  acquireSeconds: new Histogram({
    name: 'ravenhelm_acquire_seconds',
    help: 'Time to take a partition over: fence, restore, seek',
    buckets: seconds,
    registers,
  }),
  partitions: new Gauge({
    name: 'ravenhelm_partitions',
    help: 'Partitions held, by state',
    labelNames: ['state'],
    registers,
  }),
  alarms: new Counter({ name: 'ravenhelm_alarms_total', help: 'Timers that came due', registers }),
  inputGaps: new Counter({
    name: 'ravenhelm_input_gap_records_total',
    help: 'Records that retention deleted before they were read',
    labelNames: ['topic'],
    registers,
  }),
  running: new Gauge({
    name: 'ravenhelm_tasks_running',
    help: 'Tasks running now, by role',
    labelNames: ['role'],
    registers,
  }),
  taskEnds: new Counter({
    name: 'ravenhelm_task_ends_total',
    help: 'Ends of attempts that this worker reported, by role and outcome',
    labelNames: ['role', 'outcome'],
    registers,
  }),
  facts: new Counter({
    name: 'ravenhelm_facts_total',
    help: 'Facts written to the ledger, by event type',
    labelNames: ['event_type'],
    registers,
  }),
};
