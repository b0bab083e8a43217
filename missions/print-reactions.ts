/** Subscriptions, aggregators and emitted events: from what travels to a file of people. */
import { isDeepStrictEqual } from 'node:util';
import type {
  Aggregator,
  Condition,
  Emission,
  EventPattern,
  MissionOptions,
  Reaction,
  Subscription,
  TaskTemplate,
} from '#schemas/types.gen.ts';
import { id } from './file-parts.ts';
import { said, scriptFile, shortJson, shortScript } from './print-script.ts';
import { withNames } from './reactions-file.ts';

type Reactions = Pick<MissionOptions, 'subscriptions' | 'aggregators' | 'events' | 'max_hops'>;

/** The fields of a mission file that say these reactions. */
export const reactionsFile = ({ subscriptions, aggregators, events, max_hops }: Reactions) =>
  said({
    subscriptions: subscriptions.map(subscriptionFile),
    aggregators: aggregators.map(aggregatorFile),
    emit: events.map(emissionFile),
    max_hops,
  });

const subscriptionFile = ({ name, role, on, reaction, most }: Subscription) =>
  said({ name, role, on: patternFile(on), most, ...reactionFile(reaction) });

function aggregatorFile({ name, events, timeout_ms, on_complete, on_timeout }: Aggregator) {
  const unnamed = events.map((event) => ({ ...event, name: '' }));
  // Names that were made come back by themselves; many of them could not be said.
  const shown = isDeepStrictEqual(withNames(unnamed), events)
    ? unnamed
    : events.map((event) => (id.safeParse(event.name).success ? event : { ...event, name: '' }));
  return said({
    name,
    events: shown.map(patternFile),
    timeout: timeout_ms,
    on_complete: on_complete && reactionFile(on_complete),
    on_timeout: on_timeout && reactionFile(on_timeout),
  });
}

function patternFile({ where, ...pattern }: EventPattern): unknown {
  const fields = said({ ...pattern, where: whereFile(where) });
  return Object.keys(fields).join() === 'type' ? pattern.type : fields;
}

/** By path where that says all of it, else one by one. */
function whereFile(where: readonly Condition[]): unknown {
  const conditions = where.map(({ path, op, value }) => ({
    ...{ path, op },
    ...(value === '' ? {} : { value: JSON.parse(value) as unknown }),
  }));
  const paths = new Set(where.map(({ path }) => path));
  const short =
    conditions.length > 0 &&
    paths.size === conditions.length &&
    // Keys of digits alone would be put in another order.
    conditions.every(({ path, op, value }) => !/^(?:\d+|__proto__)$/.test(path) && isShort(op, value));
  return short ? Object.fromEntries(conditions.map(({ path, value }) => [path, value])) : conditions;
}

const isShort = (op: string, value: unknown): boolean =>
  op === 'in' ? Array.isArray(value) : op === 'eq' && (value === null || typeof value !== 'object');

function emissionFile({ data, ...emission }: Emission): unknown {
  const fields = said(emission);
  if (data !== '') return { ...fields, data: JSON.parse(data) as unknown };
  return Object.keys(fields).join() === 'name' ? emission.name : fields;
}

function reactionFile({ action, task, emit, reason }: Reaction): Record<string, unknown> {
  if (action === 'pause') return { pause: reason };
  return {
    ...(task === null ? {} : { task: templateFile(task) }),
    ...(emit === null ? {} : { emit: emissionFile(emit) }),
    ...said({ reason }),
  };
}

function templateFile({ routes, script, timeout_ms, ...task }: TaskTemplate): Record<string, unknown> {
  const ways = routes.map(({ when, role }) => ({ ...said({ when: whereFile(when) }), role }));
  return { ...said({ ...task, routes: ways, timeout: timeout_ms }), ...scriptFile(script) };
}

/** With JSON as `parseMission` writes it. Throws `invalid_plan` for what is none. */
export const withShortJson = <T extends Reactions>(given: T): T => ({
  ...given,
  subscriptions: given.subscriptions.map((subscription) => ({
    ...subscription,
    on: shortPattern(subscription.on, subscription.name),
    reaction: shortReaction(subscription.reaction, subscription.name),
  })),
  aggregators: given.aggregators.map((aggregator) => ({
    ...aggregator,
    events: aggregator.events.map((event) => shortPattern(event, aggregator.name)),
    on_complete: aggregator.on_complete && shortReaction(aggregator.on_complete, aggregator.name),
    on_timeout: aggregator.on_timeout && shortReaction(aggregator.on_timeout, aggregator.name),
  })),
  events: given.events.map(shortEmission),
});

const shortPattern = (pattern: EventPattern, whose: string): EventPattern => ({
  ...pattern,
  where: shortConditions(pattern.where, whose),
});

const shortConditions = (where: readonly Condition[], whose: string): Condition[] =>
  where.map((condition) => ({
    ...condition,
    value: shortJson(condition.value, `the value of ${condition.path} of ${whose}`),
  }));

const shortEmission = (emission: Emission): Emission => ({
  ...emission,
  data: shortJson(emission.data, `the data of ${emission.name}`),
});

const shortReaction = ({ task, emit, ...rest }: Reaction, whose: string): Reaction => ({
  ...rest,
  task: task && {
    ...task,
    routes: task.routes.map((route) => ({ ...route, when: shortConditions(route.when, whose) })),
    script: shortScript(task.script, `of ${whose}`),
  },
  emit: emit && shortEmission(emit),
});
