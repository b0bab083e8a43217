import { Failure } from '#chassis/failures.ts';
import { cut } from './cut.ts';
import type { FactDraft, FactEnvelope } from './facts.ts';
import { indexPlan, type Plan } from './plan.ts';
import { planningPlan } from './planning.ts';
import { defaultPolicy } from './policy.ts';
import { type MissionState, newTask, type Status, type TaskState } from './state.ts';

/**
 * A state has to fit into a record, so a task keeps at most its share of these (bytes). The facts have all of it.
 */
const results = { each: 8 * 1024, together: 128 * 1024 };
const messages = { each: 1024, together: 32 * 1024 };

/**
 * What we know after a fact. Folding a mission's facts in order, from `null`, gives its state; the ledger's own
 * events can be given as they are: `evolve(state, event, event)`.
 * Throws Failure `ledger_broken` for a fact that cannot follow on this state.
 */
export function evolve(state: MissionState | null, fact: FactDraft, envelope: FactEnvelope): MissionState {
  const at = envelope.timestamp;
  if (fact.event_type === 'mission_accepted' || fact.event_type === 'mission_rejected') {
    if (state !== null) throw broken(fact, envelope, 'the mission is known already');
    return begin(fact, envelope);
  }
  if (state === null) throw broken(fact, envelope, 'the mission is not known');

  /** The state with a change in the task that the fact is about. */
  const withTask = (task_id: string, change: (task: TaskState) => Partial<TaskState>): MissionState => {
    const position = state.plan?.index.get(task_id);
    const task = position === undefined ? undefined : state.tasks[position];
    if (position === undefined || task === undefined) throw broken(fact, envelope, `no task ${task_id}`);
    return { ...state, updated_at: at, tasks: state.tasks.with(position, { ...task, ...change(task) }) };
  };

  const share = (text: string, { each, together }: { each: number; together: number }): string =>
    cut(text, Math.min(each, Math.floor(together / state.tasks.length)));

  switch (fact.event_type) {
    case 'plan_created':
      return { ...withPlan(state, indexPlan(fact.payload.tasks)), status: 'running', updated_at: at };
    case 'wave_started':
    case 'wave_completed':
      return { ...state, updated_at: at };

    case 'task_assigned': {
      const { task_id, attempt, lease } = fact.payload;
      const assigned = {
        status: 'assigned',
        attempt,
        lease,
        agent: '',
        lease_until: 0,
        retry_at: 0,
      } as const;
      return withTask(task_id, (task) =>
        // A resume goes on with the attempt's clock and journal; a new attempt begins its own.
        attempt === task.attempt
          ? assigned
          : { ...assigned, timeout_at: 0, started_at: 0, journal_partition: -1, journal_offset: -1 },
      );
    }
    case 'task_started': {
      const { task_id, agent, journal_partition, journal_offset } = fact.payload;
      const lease_until = at + state.policy.lease_ms;
      return withTask(task_id, (task) => {
        const running = { status: 'running', agent, lease_until } as const;
        // Only the first start of an attempt counts: its journal begins there, and so does its timeout.
        if (task.started_at > 0) return running;
        const timeout_at = at + timeoutOf(state, task_id);
        return { ...running, started_at: at, timeout_at, journal_partition, journal_offset };
      });
    }
    case 'task_completed': {
      const { task_id, agent, result } = fact.payload;
      const kept = { result: share(result, results), code: '', message: '' };
      return withTask(task_id, () => ({ ...ended(at), status: 'completed', agent, ...kept }));
    }
    case 'task_attempt_failed': {
      const { task_id, agent, code, retry_at } = fact.payload;
      const message = share(fact.payload.message, messages);
      const waiting = {
        status: 'waiting',
        agent,
        code,
        message,
        retry_at,
        lease_until: 0,
        timeout_at: 0,
      } as const;
      return withTask(task_id, () => waiting);
    }
    case 'task_failed': {
      const { task_id, agent, code } = fact.payload;
      const message = share(fact.payload.message, messages);
      return withTask(task_id, () => ({ ...ended(at), status: 'failed', agent, code, message }));
    }
    case 'task_released':
      return withTask(fact.payload.task_id, () => ({ status: 'assigned', agent: '', lease_until: 0 }));
    case 'task_cancelled': {
      const message = share(fact.payload.reason, messages);
      return withTask(fact.payload.task_id, () => ({ ...ended(at), status: 'cancelled', message }));
    }
    case 'timer_fired':
      if (fact.payload.timer !== 'retry') return { ...state, updated_at: at };
      return withTask(fact.payload.task_id, () => ({ status: 'pending', retry_at: 0 }));

    case 'mission_completed':
      return end(state, 'completed', at);
    case 'mission_failed':
      return end(state, 'failed', at);
    case 'mission_cancelled':
      return end(state, 'cancelled', at);
    default: {
      const unknown: never = fact;
      throw broken(unknown, envelope, 'not a fact');
    }
  }
}

type FirstFact = Extract<FactDraft, { readonly event_type: 'mission_accepted' | 'mission_rejected' }>;

function begin(fact: FirstFact, { correlation_id, priority, timestamp }: FactEnvelope): MissionState {
  const times = { created_at: timestamp, updated_at: timestamp, ended_at: 0, deadline_at: 0 };
  const base = { mission_id: correlation_id, priority, plan: null, tasks: [], ...times };
  if (fact.event_type === 'mission_rejected') {
    const nothing = { name: '', brief: '', traceparent: '', policy: defaultPolicy };
    return { ...base, ...nothing, status: 'rejected', ended_at: timestamp };
  }
  const { name, brief, policy, tasks, traceparent } = fact.payload;
  const deadline_at = timestamp + policy.deadline_ms;
  const state = { ...base, name, brief, policy, traceparent, deadline_at, status: 'planning' } as const;
  return tasks.length > 0 ? state : withPlan(state, planningPlan(brief, policy));
}

function withPlan(state: MissionState, plan: Plan): MissionState {
  return { ...state, plan, tasks: plan.tasks.map(() => newTask) };
}

function timeoutOf({ plan, policy }: MissionState, task_id: string): number {
  return plan?.tasks[plan.index.get(task_id) ?? -1]?.timeout_ms ?? policy.task_timeout_ms;
}

const ended = (at: number) => ({ ended_at: at, lease_until: 0, timeout_at: 0, retry_at: 0 });

/** The end of a mission. Tasks that nobody works on are cancelled with it; the others get a fact each. */
function end(state: MissionState, status: Status, at: number): MissionState {
  const tasks = state.tasks.map((task) =>
    task.status === 'pending' ? { ...task, ...ended(at), status: 'cancelled' as const } : task,
  );
  return { ...state, status, tasks, ended_at: at, updated_at: at, deadline_at: 0 };
}

function broken(fact: FactDraft, { correlation_id }: FactEnvelope, why: string): Failure {
  return new Failure('ledger_broken', `${fact.event_type} of mission ${correlation_id}: ${why}`);
}
