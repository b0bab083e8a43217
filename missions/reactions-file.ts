/** Subscriptions, aggregators and emitted events: from a file of people to what travels. */
import type {
  Aggregator,
  Condition,
  Emission,
  EventPattern,
  MissionOptions,
  Reaction,
  Subscription,
} from '#schemas/types.gen.ts';
import type { MissionFile } from './mission-file.ts';
import type { Place, Places } from './places.ts';
import {
  type ActionFile,
  type AggregatorFile,
  type ConditionFile,
  type DefinitionsFile,
  definitionsFile,
  type EmissionFile,
  type PatternFile,
  type SubscriptionFile,
} from './reactions-shape.ts';
import { readFile } from './read-file.ts';
import { scriptOf } from './script.ts';

export type Definitions = Pick<MissionOptions, 'subscriptions' | 'aggregators'>;

/**
 * A file of standing definitions. Throws one `invalid_mission` that lists every error with its place; with `roles`, a
 * task for any other role is one.
 */
export function parseDefinitions(
  text: string,
  file: string,
  { roles = null }: { readonly roles?: ReadonlySet<string> | null } = {},
): Definitions {
  const { data, places, refuse } = readFile(text, file, definitionsFile);
  const problems = [...reactionProblems(data, { places, roles, standing: true })];
  if (data.subscriptions.length + data.aggregators.length === 0) {
    problems.push(places.of([], 'file', 'found neither subscriptions nor aggregators', 'one of them'));
  }
  if (problems.length > 0) throw refuse(problems);
  return definitionsOf(data);
}

const definitionsOf = ({ subscriptions, aggregators }: DefinitionsFile): Definitions => ({
  subscriptions: subscriptions.map(subscriptionOf),
  aggregators: aggregators.map(aggregatorOf),
});

/** What a mission file says of reactions. One that reacts and has no tasks has no planner, unless it names one. */
export function reactionsOf(
  mission: MissionFile,
): Definitions & Pick<MissionOptions, 'events' | 'max_hops' | 'planner'> {
  const { planner, subscriptions, aggregators, emit, max_hops } = mission;
  const reacts = subscriptions.length + aggregators.length > 0;
  const unplanned =
    reacts && planner === undefined && mission.tasks === undefined && mission.waves === undefined;
  return {
    ...definitionsOf(mission),
    events: emit.map(emissionOf),
    max_hops,
    planner: unplanned ? 'none' : (planner ?? ''),
  };
}

function subscriptionOf(subscription: SubscriptionFile): Subscription {
  const { name, role = '', on, most } = subscription;
  return { name, role, on: patternOf(on), reaction: reactionOf(subscription, ''), most };
}

function aggregatorOf({ name, events, timeout, on_complete, on_timeout }: AggregatorFile): Aggregator {
  return {
    name,
    events: withNames(events.map(patternOf)),
    timeout_ms: timeout,
    on_complete: on_complete === undefined ? null : reactionOf(on_complete, on_complete.role ?? ''),
    on_timeout: on_timeout === undefined ? null : reactionOf(on_timeout, on_timeout.role ?? ''),
  };
}

function patternOf({ name, type, source, from, target, severity, topic, where }: PatternFile): EventPattern {
  return {
    name: name ?? '',
    type: type ?? '',
    source: source ?? from ?? '',
    target: target ?? '',
    severity: severity ?? '',
    topic: topic ?? '',
    where: where.map(conditionOf),
  };
}

/** Each with a name of its own, so that people see which of them is missing. */
export function withNames(patterns: readonly EventPattern[]): EventPattern[] {
  const taken = new Set(patterns.map(({ name }) => name));
  return patterns.map((pattern) => {
    if (pattern.name !== '') return pattern;
    const task = pattern.where.find(({ path, op }) => path === 'payload.task_id' && op === 'eq');
    const about = task === undefined ? pattern.source : String(JSON.parse(task.value));
    const wanted = [pattern.type || 'any', ...(about === '' ? [] : [about])].join(' ');
    let name = wanted;
    for (let number = 2; taken.has(name); number++) name = `${wanted} (${number})`;
    taken.add(name);
    return { ...pattern, name };
  });
}

const conditionOf = ({ path, op, value }: ConditionFile): Condition => ({
  path,
  op,
  value: value === undefined ? '' : JSON.stringify(value),
});

const emissionOf = ({ name, topic, severity, data }: EmissionFile): Emission => ({
  name,
  topic,
  severity: severity ?? '',
  data: data === undefined ? '' : JSON.stringify(data),
});

type Action = Pick<ActionFile, 'task' | 'emit' | 'pause' | 'reason'>;

/** `role` is that of a task which names none. */
function reactionOf({ task, emit, pause, reason }: Action, role: string): Reaction {
  if (task !== undefined) {
    const { routes, script, answer, idempotent, timeout, priority, model, ...rest } = task;
    const template = {
      ...rest,
      role: task.role ?? role,
      routes: routes.map((route) => ({ when: route.when.map(conditionOf), role: route.role })),
      script: scriptOf(script, answer, idempotent),
      timeout_ms: timeout,
      priority: priority ?? '',
      model: model ?? '',
    };
    return { action: 'task', task: template, emit: null, reason };
  }
  if (emit !== undefined) return { action: 'emit', task: null, emit: emissionOf(emit), reason };
  return { action: 'pause', task: null, emit: null, reason: pause ?? reason };
}

interface Against {
  readonly places: Places;
  /** Null: not known here. */
  readonly roles: ReadonlySet<string> | null;
  /** For every mission. */
  readonly standing: boolean;
}

/** What is wrong with them beyond their shape. */
export function* reactionProblems(
  { subscriptions, aggregators }: DefinitionsFile,
  against: Against,
): Iterable<string> {
  const { places } = against;
  const first = new Map<string, Place>();
  const all: (readonly [Place, string])[] = [
    ...subscriptions.map(({ name }, at) => [['subscriptions', at], name] as const),
    ...aggregators.map(({ name }, at) => [['aggregators', at], name] as const),
  ];
  for (const [path, name] of all) {
    const other = first.get(name);
    if (other === undefined) first.set(name, path);
    else {
      const expected = `a name of its own; ${places.line(other)} has it too`;
      yield places.of([...path, 'name'], `${places.name(path)}.name`, `found ${name}`, expected);
    }
  }
  for (const [at, subscription] of subscriptions.entries()) {
    const path = ['subscriptions', at];
    yield* patternProblems(subscription.on, [...path, 'on'], places);
    yield* actionProblems(subscription, path, subscription.role, against);
  }
  for (const [at, aggregator] of aggregators.entries()) {
    const path = ['aggregators', at];
    for (const [number, event] of aggregator.events.entries()) {
      yield* patternProblems(event, [...path, 'events', number], places);
      const name = event.name;
      const same = aggregator.events.findIndex((each) => name !== undefined && each.name === name);
      if (name === undefined || same === number) continue;
      const where = [...path, 'events', number, 'name'];
      yield places.of(where, places.name(where), `found ${name}`, 'a name of its own');
    }
    for (const end of ['on_complete', 'on_timeout'] as const) {
      const action = aggregator[end];
      if (action !== undefined) yield* actionProblems(action, [...path, end], action.role, against);
    }
  }
}

function* patternProblems(pattern: PatternFile, path: Place, places: Places): Iterable<string> {
  const { name: _, where, ...said } = pattern;
  if (pattern.source !== undefined && pattern.from !== undefined) {
    yield places.of([...path, 'from'], places.name(path), 'found from and source', 'one of them');
  }
  if (where.length === 0 && Object.values(said).every((value) => value === undefined)) {
    yield places.of(path, places.name(path), 'found nothing to go by', 'a type, or another filter');
  }
  for (const [at, { op, value }] of where.entries()) {
    const right = op === 'in' ? Array.isArray(value) : op === 'exists' || value !== undefined;
    if (right) continue;
    const found = value === undefined ? 'found no value' : 'found no list';
    const expected = op === 'in' ? 'a list' : 'a value';
    yield places.of([...path, 'where', at], `${places.name(path)}.where`, `${found} for ${op}`, expected);
  }
}

function* actionProblems(
  action: Action,
  path: Place,
  role: string | undefined,
  { places, roles, standing }: Against,
): Iterable<string> {
  const where = places.name(path);
  const said = (['task', 'emit', 'pause'] as const).filter((kind) => action[kind] !== undefined);
  if (said.length !== 1) {
    const found = said.length === 0 ? 'no action' : said.join(' and ');
    yield places.of(path, where, `found ${found}`, 'one of task, emit and pause');
  }
  const { task } = action;
  if (task === undefined) return;
  const given = task.role ?? role;
  if (given === undefined) {
    yield places.of([...path, 'task'], `${where}.task`, 'found no role', 'the role that does it');
  }
  const named: (readonly [Place, string | undefined])[] = [
    [task.role === undefined ? [...path, 'role'] : [...path, 'task', 'role'], given],
    ...task.routes.map((route, at) => [[...path, 'task', 'routes', at, 'role'], route.role] as const),
  ];
  for (const [place, name] of named) {
    if (name === undefined) continue;
    if (standing && name === 'orchestrator') {
      // Nobody would count the reactions that led to the missions within it.
      yield places.of(
        place,
        places.name(place),
        'found orchestrator',
        'a role whose task is no mission of its own',
      );
    } else if (roles !== null && !roles.has(name)) {
      const known = `one of ${[...roles].sort().join(', ')}`;
      yield places.of(place, places.name(place), `found ${name}`, known);
    }
  }
}

/** A mission that waits for reactions, and in which nothing could ever happen. */
export function* idleProblems(mission: MissionFile, places: Places): Iterable<string> {
  const { subscriptions, aggregators, emit, tasks, waves, planner } = mission;
  if (tasks !== undefined || waves !== undefined || planner !== undefined) return;
  if (subscriptions.length + aggregators.length === 0 || emit.length > 0) return;
  if (aggregators.some(({ timeout }) => timeout > 0)) return;
  const found = 'found neither tasks nor events to emit, so that nothing would happen';
  yield places.of([], 'mission', found, 'tasks, emit, or an aggregator with a timeout');
}
