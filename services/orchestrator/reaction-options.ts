import { asFailure, Failure } from '#chassis/failures.ts';
import type {
  Aggregator,
  Emission,
  EventPattern,
  MissionOptions,
  Reaction,
  Subscription,
  TaskTemplate,
} from '#schemas/types.gen.ts';
import { bounds, limit } from './bounds.ts';
import { isId, isRole, isTaken, modelPattern } from './names.ts';

/** Checks of what a mission, or a standing definition, says of reactions: a bad one is said at once, and where. */

type Reactions = Pick<MissionOptions, 'subscriptions' | 'aggregators' | 'events' | 'max_hops'>;

export const most = {
  each: 64,
  bytes: 64 * 1024,
  hops: 64,
  data: 16 * 1024,
  timeout_ms: bounds.deadline_ms.most,
};
export const severities = ['info', 'warning', 'error', 'critical'];
export const operators = ['eq', 'ne', 'in', 'gt', 'gte', 'lt', 'lte', 'matches', 'exists'];
const priorities = ['high', 'normal', 'low'];
const emittedName = /^[^\s*]{1,128}$/;

const invalid = (where: string, found: unknown, expected: string) =>
  new Failure(
    'invalid_mission',
    `${where}: found ${JSON.stringify(found)?.slice(0, 160)}, expected ${expected}`,
  );

/** Throws Failure `invalid_mission` naming the field, what was found and what was expected. */
export function checkReactions(given: Reactions, where = 'options'): void {
  const { subscriptions, aggregators, events, max_hops } = given;
  for (const [field, list] of Object.entries({ subscriptions, aggregators, events })) {
    if (list.length > most.each) throw invalid(`${where}.${field}`, list.length, `at most ${most.each}`);
  }
  const bytes = Buffer.byteLength(JSON.stringify({ subscriptions, aggregators, events }));
  if (bytes > most.bytes) {
    throw invalid(`${where}.subscriptions, aggregators and events`, bytes, `at most ${most.bytes} bytes`);
  }
  if (!Number.isSafeInteger(max_hops) || max_hops < 0 || max_hops > most.hops) {
    throw invalid(`${where}.max_hops`, max_hops, `a whole number from 1 to ${most.hops}, or 0 for 16`);
  }
  const names = new Map<string, string>();
  const checkName = (name: string, at: string) => {
    if (!isId(name)) throw invalid(`${at}.name`, name, '1 to 128 letters, digits or . _ -');
    const before = names.get(name);
    if (before !== undefined) throw invalid(`${at}.name`, name, `another name than that of ${before}`);
    names.set(name, at);
  };
  subscriptions.forEach((subscription, position) => {
    const at = `${where}.subscriptions[${position}]`;
    checkName(subscription.name, at);
    checkSubscription(subscription, at);
  });
  aggregators.forEach((aggregator, position) => {
    const at = `${where}.aggregators[${position}]`;
    checkName(aggregator.name, at);
    checkAggregator(aggregator, at);
  });
  events.forEach((event, position) => checkEmission(event, `${where}.events[${position}]`));
}

function checkSubscription({ role, on, reaction, most: times }: Subscription, at: string): void {
  if (role !== '' && !isRole(role)) throw invalid(`${at}.role`, role, 'the name of a role');
  checkPattern(on, `${at}.on`);
  checkReaction(reaction, `${at}.reaction`, role);
  if (!Number.isSafeInteger(times) || times < 0) {
    throw invalid(`${at}.most`, times, 'a whole number, or 0 for as often as it is met');
  }
}

function checkAggregator({ events, timeout_ms, on_complete, on_timeout }: Aggregator, at: string): void {
  if (events.length < 1 || events.length > most.each) {
    throw invalid(`${at}.events`, events.length, `from 1 to ${most.each} events`);
  }
  events.forEach((event, position) => checkPattern(event, `${at}.events[${position}]`));
  if (!Number.isSafeInteger(timeout_ms) || timeout_ms < 0 || timeout_ms > most.timeout_ms) {
    throw invalid(`${at}.timeout_ms`, timeout_ms, `from 1 to ${most.timeout_ms} ms, or 0 for none`);
  }
  if (on_complete !== null) checkReaction(on_complete, `${at}.on_complete`, '');
  if (on_timeout !== null) checkReaction(on_timeout, `${at}.on_timeout`, '');
}

function checkPattern({ severity, where }: EventPattern, at: string): void {
  checkSeverity(severity, at);
  where.forEach((condition, position) => checkCondition(condition, `${at}.where[${position}]`));
}

function checkCondition({ path, op, value }: EventPattern['where'][number], at: string): void {
  if (path === '') throw invalid(`${at}.path`, path, 'a path like payload.code');
  if (!operators.includes(op)) throw invalid(`${at}.op`, op, `one of ${operators.join(', ')}`);
  if (op === 'exists' && value === '') return;
  const parsed = parse(value, `${at}.value`);
  if (op === 'in' && !Array.isArray(parsed)) throw invalid(`${at}.value`, value, 'a JSON array');
  if (op === 'matches' && typeof parsed !== 'string') {
    throw invalid(`${at}.value`, value, 'a pattern as JSON text, like "*.js"');
  }
}

function parse(json: string, at: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw invalid(at, json, `JSON (${asFailure(error).message})`);
  }
}

function checkReaction({ action, task, emit }: Reaction, at: string, role: string): void {
  switch (action) {
    case 'task':
      if (task === null) throw invalid(`${at}.task`, task, 'the task, as the action is task');
      checkTemplate(task, `${at}.task`, role);
      break;
    case 'emit':
      if (emit === null) throw invalid(`${at}.emit`, emit, 'the event, as the action is emit');
      checkEmission(emit, `${at}.emit`);
      break;
    case 'pause':
      break;
    default:
      throw invalid(`${at}.action`, action, 'task, emit or pause');
  }
}

function checkTemplate(template: TaskTemplate, at: string, subscriber: string): void {
  const { id, role, routes, timeout_ms, max_attempts, priority, model } = template;
  // What is filled in from the event is checked when it is.
  const filled = id.includes('{{');
  if (id !== '' && !filled && (!isId(id) || isTaken(id))) {
    throw invalid(`${at}.id`, id, '1 to 128 letters, digits or . _ -, and none of the ids of plans');
  }
  if (role === '' && subscriber === '') throw invalid(`${at}.role`, role, 'a role');
  if (role !== '' && !isRole(role)) throw invalid(`${at}.role`, role, 'the name of a role');
  routes.forEach((route, position) => {
    const where = `${at}.routes[${position}]`;
    if (!isRole(route.role)) throw invalid(`${where}.role`, route.role, 'the name of a role');
    route.when.forEach((condition, index) => checkCondition(condition, `${where}.when[${index}]`));
  });
  const timeout = limit(timeout_ms, 0, bounds.task_timeout_ms);
  if (typeof timeout === 'string') throw new Failure('invalid_mission', `${at}.timeout_ms: ${timeout}`);
  const attempts = limit(max_attempts, 0, bounds.max_attempts);
  if (typeof attempts === 'string') throw new Failure('invalid_mission', `${at}.max_attempts: ${attempts}`);
  if (priority !== '' && !priorities.includes(priority)) {
    throw invalid(`${at}.priority`, priority, `one of ${priorities.join(', ')}`);
  }
  if (model !== '' && !modelPattern.test(model)) throw invalid(`${at}.model`, model, 'provider/name');
}

/** Throws Failure `invalid_mission` for an event that cannot be put onto the ledger. */
export function checkEmission({ name, severity, topic, data }: Emission, at: string): void {
  const filled = name.includes('{{');
  if (!filled && !emittedName.test(name)) {
    throw invalid(`${at}.name`, name, '1 to 128 characters without spaces and *');
  }
  checkSeverity(severity, at);
  if (Buffer.byteLength(topic) > 256) throw invalid(`${at}.topic`, topic, 'at most 256 bytes');
  const bytes = Buffer.byteLength(data);
  if (bytes > most.data) throw invalid(`${at}.data`, bytes, `at most ${most.data} bytes`);
  if (data !== '' && !data.includes('{{')) parse(data, `${at}.data`);
}

function checkSeverity(severity: string, at: string): void {
  if (severity !== '' && !severities.includes(severity)) {
    throw invalid(`${at}.severity`, severity, `one of ${severities.join(', ')}`);
  }
}

/** The roles that reactions may give tasks to, each with where it is named. */
export function rolesOfReactions({
  subscriptions,
  aggregators,
}: Pick<MissionOptions, 'subscriptions' | 'aggregators'>): {
  readonly where: string;
  readonly role: string;
}[] {
  const ofReaction = (reaction: Reaction | null, where: string, subscriber: string) => {
    const task = reaction?.action === 'task' ? reaction.task : null;
    if (task === null) return [];
    const own = { where: `${where}.task.role`, role: task.role === '' ? subscriber : task.role };
    const routed = task.routes.map(({ role }, at) => ({ where: `${where}.task.routes[${at}].role`, role }));
    return [own, ...routed];
  };
  return [
    ...subscriptions.flatMap(({ reaction, role }, at) =>
      ofReaction(reaction, `options.subscriptions[${at}].reaction`, role),
    ),
    ...aggregators.flatMap(({ on_complete, on_timeout }, at) => [
      ...ofReaction(on_complete, `options.aggregators[${at}].on_complete`, ''),
      ...ofReaction(on_timeout, `options.aggregators[${at}].on_timeout`, ''),
    ]),
  ];
}
