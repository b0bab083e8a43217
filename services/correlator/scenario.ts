import type { FactEvent, FactType } from '#orchestrator/facts.ts';
import { defaultPolicy } from '#orchestrator/policy.ts';
import { noOptions } from '#schemas/mission-command.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type {
  Aggregator,
  Emission,
  EventPattern,
  MissionOptions,
  PayloadOf,
  Reaction,
  Subscription,
  TaskSpec,
  TaskTemplate,
} from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import { type Correlated, correlate, type Standing } from './decide.ts';
import type { Correlation } from './state.ts';

/** For tests: a ledger in the making, and what the correlator makes of it. Times count from `start`. */

export const start = 1_790_000_000_000;
export const ledgerTopic = 'ravenhelm.squad.coordination';
export const nobody: Standing = { subscriptions: [], aggregators: [] };

export const pattern = (fields: Partial<EventPattern>): EventPattern => ({
  name: '',
  type: '',
  source: '',
  target: '',
  severity: '',
  topic: '',
  where: [],
  ...fields,
});

export const emission = (name: string, data: unknown = null): Emission => ({
  name,
  topic: '',
  severity: '',
  data: JSON.stringify(data),
});

export const emits = (name: string, data: unknown = null): Reaction => ({
  action: 'emit',
  task: null,
  emit: emission(name, data),
  reason: '',
});

export const asks = (fields: Partial<TaskTemplate> = {}): Reaction => ({
  action: 'task',
  task: {
    id: '',
    role: 'helper',
    routes: [],
    description: '',
    script: null,
    timeout_ms: 0,
    max_attempts: 0,
    priority: '',
    model: '',
    ...fields,
  },
  emit: null,
  reason: '',
});

export const subscription = (
  name: string,
  on: Partial<EventPattern>,
  reaction: Reaction,
  most = 0,
): Subscription => ({ name, role: '', on: pattern(on), reaction, most });

export const aggregator = (
  name: string,
  events: readonly Partial<EventPattern>[],
  fields: Partial<Aggregator> = {},
): Aggregator => ({
  name,
  events: events.map(pattern),
  timeout_ms: 0,
  on_complete: null,
  on_timeout: null,
  ...fields,
});

const attempt = {
  attempt: 1,
  lease: 1,
  agent: 'a',
  steps: 0,
  journal_hash: '',
  usage: noUsage,
  duration_ms: 1,
};

/** The facts of one mission, numbered as the ledger does. */
export class Ledger {
  readonly facts: FactEvent[] = [];
  readonly mission: string;

  constructor(mission = 'm1') {
    this.mission = mission;
  }

  add<T extends FactType>(event_type: T, source: string, payload: PayloadOf<T>, causation_id = 'c'): this {
    const sequence = this.facts.length + 1;
    const fact = {
      event_id: `${this.mission}:${sequence}`,
      event_type,
      source_agent: source,
      target_agent: 'squad',
      timestamp: start + sequence * 1000,
      version: 1,
      correlation_id: this.mission,
      causation_id,
      priority: 'normal',
      sequence,
      previous_hash: '',
      payload,
    };
    this.facts.push(fact as unknown as FactEvent);
    return this;
  }

  accepted(
    options: Partial<MissionOptions>,
    tasks: readonly TaskSpec[] = [],
    on_failure = 'fail_fast',
  ): this {
    const policy = { ...defaultPolicy, on_failure, options: { ...noOptions, ...options } };
    const about = { name: '', brief: '', tasks, traceparent: '', roles: [], parent: null, depth: 0 };
    return this.add('mission_accepted', 'orchestrator', { ...about, policy, rules: 0 });
  }

  planned(tasks: readonly TaskSpec[] = [], made_by = 'mission'): this {
    return this.add('plan_created', 'orchestrator', { tasks, waves: 1, made_by, notes: [] });
  }

  completed(task_id: string, result = 'done', role = `${task_id}_role`): this {
    return this.add('task_completed', role, { task_id, ...attempt, result });
  }

  failed(task_id: string, code = 'timeout'): this {
    return this.add('task_failed', `${task_id}_role`, { task_id, ...attempt, code, message: code });
  }

  assigned(task_id: string): this {
    const payload = { task_id, role: `${task_id}_role`, attempt: 1, lease: 1 };
    // Of an assignment the correlator reads nothing else.
    return this.add('task_assigned', 'orchestrator', payload as PayloadOf<'task_assigned'>);
  }

  /** The task waits for what another should provide. */
  requires(task_id: string, dependency: string): this {
    const { attempt: number, lease, agent } = attempt;
    const payload = { task_id, attempt: number, lease, agent, dependency, reason: '', step: 1 };
    return this.add('dependency_required', `${task_id}_role`, payload);
  }

  handedOff(task_id: string): this {
    const over = { from_role: `${task_id}_role`, to_role: 'other', context: '', reason: '', step: 1 };
    return this.add('agent_handoff', `${task_id}_role`, { task_id, ...attempt, ...over });
  }

  attemptFailed(task_id: string, code = 'timeout'): this {
    const payload = { task_id, ...attempt, code, message: code, retry_at: start + 1 };
    return this.add('task_attempt_failed', `${task_id}_role`, payload);
  }

  retryDue(task_id: string): this {
    const of = { task_id, attempt: 1, lease: 1, due_at: start + 1, review_id: '', aggregation: '' };
    return this.add('timer_fired', 'orchestrator', { timer: 'retry', ...of });
  }

  /** It is told that nobody will. */
  unavailable(task_id: string, dependency: string): this {
    const about = { task_id, code: 'dependency_unavailable', message: dependency, where: `task ${task_id}` };
    const payload = { ...about, severity: 'warning', subscription: '', trigger: '' };
    return this.add('error_raised', 'orchestrator', payload);
  }

  emitted(name: string, data: unknown = null, fields: Partial<PayloadOf<'event_emitted'>> = {}): this {
    const said = {
      task_id: '',
      attempt: 0,
      lease: 0,
      agent: '',
      step: 0,
      subscription: '',
      trigger: '',
      hops: 0,
    };
    return this.add('event_emitted', 'person', { ...emission(name, data), ...said, ...fields });
  }

  timer(aggregation: string): this {
    const of = { task_id: '', attempt: 0, lease: 0, due_at: start + 1, review_id: '', aggregation };
    return this.add('timer_fired', 'orchestrator', { timer: 'aggregation', ...of });
  }
}

export const task = (id: string, fields: Partial<TaskSpec> = {}): TaskSpec =>
  taskSpec({ id, role: `${id}_role`, ...fields });

/** What the correlator makes of these facts, and what it knows after them. */
export function fold(
  facts: readonly FactEvent[],
  standing: Standing = nobody,
  from: Correlation | null = null,
): Correlated {
  let state = from;
  const reports: Correlated['reports'][number][] = [];
  const missions: Correlated['missions'][number][] = [];
  for (const fact of facts) {
    const made = correlate(state, fact, { standing, ledger: ledgerTopic });
    state = made.state;
    reports.push(...made.reports);
    missions.push(...made.missions);
  }
  return { state, reports, missions };
}

/**
 * A mission under an orchestrator that takes every report but what it would ignore: a stale settling, a task that is
 * known, an end of what has ended. What the ledger becomes.
 */
export function settled(ledger: Ledger, standing: Standing = nobody, most = 500): Correlation | null {
  let state: Correlation | null = null;
  const waiting: Report[] = [];
  for (let at = 0; at < most; ) {
    const fact = ledger.facts[at];
    if (fact !== undefined) {
      const made = correlate(state, fact, { standing, ledger: ledgerTopic });
      state = made.state;
      waiting.push(...made.reports);
      at += 1;
      continue;
    }
    const report = waiting.shift();
    if (report === undefined) return state;
    if (!isIgnored(report, ledger)) {
      ledger.add(report.event_type, report.source_agent, report.payload, report.event_id);
    }
  }
  throw new Error(`more than ${most} facts`);
}

type Report = Correlated['reports'][number];

function isIgnored(report: Report, { facts }: Ledger): boolean {
  // A ledger that goes on is folded from its beginning: what was reported then is there.
  if (facts.some(({ causation_id }) => causation_id === report.event_id)) return true;
  switch (report.event_type) {
    case 'reactions_settled':
      return report.payload.up_to !== facts.length;
    case 'task_requested':
      return tasksOf(facts).has(report.payload.task.id);
    case 'aggregation_completed':
    case 'aggregation_timed_out':
      return facts.some(
        (fact) =>
          (fact.event_type === 'aggregation_completed' || fact.event_type === 'aggregation_timed_out') &&
          fact.payload.aggregation === report.payload.aggregation,
      );
    default:
      return false;
  }
}

/** Ids of the tasks of a ledger, and whether they have ended. */
export function tasksOf(facts: readonly FactEvent[]): Map<string, boolean> {
  const tasks = new Map<string, boolean>();
  for (const fact of facts) {
    if (fact.event_type === 'plan_created') for (const { id } of fact.payload.tasks) tasks.set(id, false);
    if (fact.event_type === 'task_requested') tasks.set(fact.payload.task.id, false);
    if (fact.event_type === 'task_completed') tasks.set(fact.payload.task_id, true);
  }
  return tasks;
}

/** The reports of one type. */
export const only = <T extends Correlated['reports'][number]['event_type']>(made: Correlated, type: T) =>
  made.reports.filter(
    (report): report is Extract<Correlated['reports'][number], { readonly event_type: T }> =>
      report.event_type === type,
  );
