/** What a file may say of subscriptions and aggregators. */
import { z } from 'zod';
import { operators } from '#correlator/pattern.ts';
import { call, count, duration, id, model } from './file-parts.ts';

const severity = z.enum(['info', 'warning', 'error', 'critical']);
const glob = z.string().min(1).max(200);
const text = z.string().max(8_000);

type Operator = (typeof operators)[number];
const isOperator = (key: string): key is Operator => (operators as readonly string[]).includes(key);

const condition = z.strictObject({
  path: z.string().min(1).max(200),
  op: z.enum(operators).default('eq'),
  value: z.unknown().optional(),
});

/** `payload.code: timeout`, `payload.code: [timeout, lease_lost]`, `payload.attempt: { gt: 2 }`, or a list in full. */
const where = z
  .preprocess((given) => {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
    return Object.entries(given).flatMap(([path, value]) => conditionsOf(path, value));
  }, z.array(condition).max(20))
  .default([]);

function conditionsOf(path: string, value: unknown): object[] {
  if (Array.isArray(value)) return [{ path, op: 'in', value }];
  if (typeof value !== 'object' || value === null) return [{ path, op: 'eq', value }];
  const compared = Object.entries(value);
  const all = compared.length > 0 && compared.every(([key]) => isOperator(key));
  return all ? compared.map(([op, each]) => ({ path, op, value: each as unknown })) : [{ path, value }];
}

const named = (key: string) => (given: unknown) => (typeof given === 'string' ? { [key]: given } : given);

/** An event_type or the name of an emitted event, or all that is looked at. */
const pattern = z.preprocess(
  named('type'),
  z.strictObject({
    /** Default: the type, and the task that it is about. */
    name: id.optional(),
    type: glob.optional(),
    source: glob.optional(),
    /** Short for `source`. */
    from: glob.optional(),
    target: glob.optional(),
    severity: severity.optional(),
    topic: glob.optional(),
    where,
  }),
);

const emission = z.preprocess(
  named('name'),
  z.strictObject({
    name: id,
    topic: z.string().max(200).default(''),
    severity: severity.optional(),
    data: z.unknown().optional(),
  }),
);

/** `{{payload.x}}` in id, description and data is taken from the event. */
const task = z.strictObject({
  id: z.string().min(1).max(200).default(''),
  role: z.string().min(1).optional(),
  /** The role of the first that fits; of none: `role`. */
  routes: z
    .array(z.strictObject({ when: where, role: z.string().min(1) }))
    .max(20)
    .default([]),
  description: text.default(''),
  script: z.array(call).max(1_000).optional(),
  answer: z.string().default(''),
  idempotent: z.boolean().default(false),
  timeout: duration.default(0),
  max_attempts: count(100).default(0),
  priority: z.enum(['high', 'normal', 'low']).optional(),
  model: model.optional(),
});

const action = {
  task: task.optional(),
  emit: emission.optional(),
  /** Why a person has to look. */
  pause: text.min(1).optional(),
  reason: text.default(''),
};
const onEnd = z.strictObject({ role: z.string().min(1).optional(), ...action });

const subscription = z.strictObject({
  name: id,
  role: z.string().min(1).optional(),
  on: pattern,
  /** Times that it reacts in one mission. */
  most: count(1_000).default(0),
  ...action,
});

const aggregator = z.strictObject({
  name: id,
  events: z.array(pattern).min(1).max(32),
  /** Without one it waits as long as its mission has something else to do. */
  timeout: duration.default(0),
  on_complete: onEnd.optional(),
  on_timeout: onEnd.optional(),
});

/** Fields of a mission file, and of a file of standing definitions. */
export const definitions = {
  subscriptions: z.array(subscription).max(100).default([]),
  aggregators: z.array(aggregator).max(100).default([]),
};

/** Fields of a mission file alone. */
export const ofMissions = {
  /** What is emitted when the mission begins. */
  emit: z.array(emission).max(100).default([]),
  max_hops: count(100).default(0),
};

export const definitionsFile = z.strictObject(definitions);
export type DefinitionsFile = z.output<typeof definitionsFile>;
export type SubscriptionFile = z.output<typeof subscription>;
export type AggregatorFile = z.output<typeof aggregator>;
export type PatternFile = z.output<typeof pattern>;
export type ActionFile = z.output<typeof onEnd>;
export type EmissionFile = z.output<typeof emission>;
export type ConditionFile = z.output<typeof condition>;
