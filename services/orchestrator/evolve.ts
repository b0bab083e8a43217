import { Failure } from '#chassis/failures.ts';
import type { Amounts, PendingReview, ReviewAnswer, Usage } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import { booked, timeOf, unaccounted } from './budget.ts';
import { cut } from './cut.ts';
import { coordinated, joinFired } from './evolve-coordination.ts';
import { compensationBegan, compensationEnded, redriven, undoingBegan } from './evolve-saga.ts';
import type { FactDraft, FactEnvelope } from './facts.ts';
import { indexPlan, type Plan } from './plan.ts';
import { planningPlan } from './planning.ts';
import { defaultPolicy } from './policy.ts';
import { isPlanning, type MissionState, newTask, type Status, type TaskState } from './state.ts';
import { isAboutUndoing } from './undoing.ts';

/**
 * A state has to fit into a record, so a task keeps at most its share of these (bytes). The facts have all of it.
 */
export const results = { each: 8 * 1024, together: 128 * 1024 };
const messages = { each: 1024, together: 32 * 1024 };

/**
 * What we know after a fact. Folding a mission's facts in order, from `null`, gives its state; the ledger's own
 * events can be given as they are: `evolve(state, event, event)`.
 * Throws Failure `ledger_broken` for a fact that cannot follow on this state.
 */
export function evolve(state: MissionState | null, fact: FactDraft, envelope: FactEnvelope): MissionState {
  return { ...after(state, fact, envelope), sequence: (state?.sequence ?? 0) + 1 };
}

type Unnumbered = Omit<MissionState, 'sequence'>;

function after(state: MissionState | null, fact: FactDraft, envelope: FactEnvelope): Unnumbered {
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

  /** The attempt is over: what it used up is booked, and what was reserved beyond that is free again. */
  const withEnd = (
    task_id: string,
    change: Partial<TaskState>,
    used: { readonly usage: Usage; readonly duration_ms: number },
  ): MissionState => {
    const { usage, duration_ms } = used;
    const position = state.plan?.index.get(task_id) ?? -1;
    return { ...withTask(task_id, () => change), ...booked(state, position, { usage, duration_ms, at }) };
  };

  const share = (text: string, { each, together }: { each: number; together: number }): string =>
    cut(text, Math.min(each, Math.floor(together / state.tasks.length)));

  switch (fact.event_type) {
    case 'plan_created': {
      // A plan that is planned anew before anybody approved it needs no answer any more.
      const reviews = state.reviews.filter(({ kind, task_id }) => kind !== 'plan' || task_id !== '');
      const planned = { ...withPlan(state, indexPlan(fact.payload.tasks)), reviews };
      const replans = state.replans + (fact.payload.made_by === 'replanning' ? 1 : 0);
      return { ...planned, status: isPlanning(planned) ? 'planning' : 'running', replans, updated_at: at };
    }
    case 'wave_started':
    case 'wave_completed':
      return { ...state, updated_at: at };

    case 'task_assigned': {
      const { task_id, attempt, lease, kind, timeout_ms, budget, cheaper } = fact.payload;
      const assigned = {
        status: 'assigned',
        attempt,
        lease,
        agent: '',
        lease_until: 0,
        retry_at: 0,
        reserved: budget,
      } as const;
      const next = withTask(task_id, (task) => {
        // A resume goes on with the attempt's clock and journal; a new attempt begins its own.
        if (attempt === task.attempt) {
          // The clock stood still while a person was asked.
          return task.status === 'parked'
            ? { ...assigned, timeout_at: at + timeout_ms, timeout_left: 0 }
            : assigned;
        }
        const fresh = { ...assigned, ...freshAttempt };
        // Nobody claims a mission: it begins by itself, and ends by its own deadline at the latest.
        return kind === 'mission'
          ? { ...fresh, status: 'running', started_at: at, timeout_at: at + timeout_ms }
          : fresh;
      });
      return cheaper ? { ...next, cheaper } : next;
    }
    case 'task_started': {
      const { task_id, agent, journal_partition, journal_offset } = fact.payload;
      const lease_until = at + state.policy.lease_ms;
      return withTask(task_id, (task) => {
        const running = { status: 'running', agent, lease_until } as const;
        // Only the first start of an attempt counts: its journal begins there, and so does its timeout.
        if (task.started_at > 0) return running;
        const timeout_at = at + timeoutOf(state, task_id, task.reserved);
        return { ...running, started_at: at, timeout_at, journal_partition, journal_offset };
      });
    }
    case 'task_completed': {
      const { task_id, agent, result, usage, duration_ms } = fact.payload;
      const kept = { result: share(result, results), code: '', message: '' };
      const completed = { ...ended(at), status: 'completed', agent, ...kept } as const;
      return withEnd(task_id, completed, { usage, duration_ms });
    }
    case 'task_attempt_failed': {
      const { task_id, agent, code, retry_at, usage, duration_ms } = fact.payload;
      const message = share(fact.payload.message, messages);
      const waiting = {
        status: 'waiting',
        agent,
        code,
        message,
        retry_at,
        lease_until: 0,
        timeout_at: 0,
        reserved: null,
      } as const;
      return withEnd(task_id, waiting, { usage, duration_ms });
    }
    case 'task_failed': {
      const { task_id, agent, code, usage, duration_ms } = fact.payload;
      const message = share(fact.payload.message, messages);
      const failed = { ...ended(at), status: 'failed', agent, code, message } as const;
      return withEnd(task_id, failed, { usage, duration_ms });
    }
    case 'task_released':
      return withTask(fact.payload.task_id, () => ({ status: 'assigned', agent: '', lease_until: 0 }));
    case 'task_cancelled': {
      const { task_id, reason } = fact.payload;
      const message = share(reason, messages);
      const reserved = state.tasks[state.plan?.index.get(task_id) ?? -1]?.reserved ?? null;
      const cancelled = { ...ended(at), status: 'cancelled', message } as const;
      return withoutReviewsOf(withEnd(task_id, cancelled, unaccounted(reserved)), task_id);
    }
    case 'timer_fired':
      switch (fact.payload.timer) {
        case 'retry':
          return withTask(fact.payload.task_id, () => ({ status: 'pending', retry_at: 0 }));
        case 'lease':
          return withTask(fact.payload.task_id, (task) => ({ expired: task.expired + 1 }));
        case 'timeout':
          return withTask(fact.payload.task_id, () => ({ timeout_at: 0 }));
        case 'review':
          return answered(state, fact.payload.review_id, 'expired', 'nobody answered in time', at);
        case 'aggregation':
          return joinFired(state, fact.payload.aggregation, at);
        default:
          return { ...state, updated_at: at };
      }

    case 'review_requested': {
      const { review_id, kind, task_id, step, arguments_hash, expires_at } = fact.payload;
      const review: PendingReview = { review_id, kind, task_id, step, arguments_hash, expires_at };
      const reviews = [...state.reviews, review];
      if (task_id === '' || isAboutUndoing(state, review)) return { ...state, reviews, updated_at: at };
      const parked = withTask(task_id, (task) => ({
        status: 'parked',
        lease_until: 0,
        timeout_at: 0,
        timeout_left: Math.max(1, task.timeout_at - at),
      }));
      return { ...parked, reviews };
    }
    case 'review_completed': {
      const { review_id, decision, comment } = fact.payload;
      return answered(state, review_id, decision, comment, at);
    }
    case 'agent_handoff':
    case 'dependency_required':
    case 'dependency_resolved':
    case 'decision_recorded':
    case 'checkpoint_created':
    case 'context_synced':
    case 'event_emitted':
    case 'error_raised':
    case 'task_requested':
    case 'pause_requested':
    case 'aggregation_started':
    case 'aggregation_completed':
    case 'aggregation_timed_out':
    case 'reactions_settled':
    case 'role_unavailable':
      return coordinated(state, fact, envelope);

    case 'safety_violation':
    case 'compensation_failed':
      return { ...state, updated_at: at };

    case 'undoing_started':
      return { ...undoingBegan(state, fact.payload), updated_at: at };
    case 'compensation_started':
      return { ...compensationBegan(state), updated_at: at };
    case 'compensation_completed':
      return { ...compensationEnded(state, fact.payload.task_id), updated_at: at };

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

function begin(fact: FirstFact, { correlation_id, priority, timestamp }: FactEnvelope): Unnumbered {
  const times = { created_at: timestamp, updated_at: timestamp, ended_at: 0, deadline_at: 0 };
  const { parent } = fact.payload;
  const books = { spent: noUsage, spent_ms: 0, reviews: [], replans: 0, grants: 0, cheaper: false };
  const coordination = { provided: [], shared: [], joins: [], undoing: '', suspensions: 0 };
  const base = {
    mission_id: correlation_id,
    priority,
    plan: null,
    tasks: [],
    ...times,
    parent,
    ...books,
    ...coordination,
  };
  if (fact.event_type === 'mission_rejected') {
    const nothing = {
      name: '',
      brief: '',
      traceparent: '',
      policy: defaultPolicy,
      roles: [],
      depth: 0,
      rules: 0,
    };
    return { ...base, ...nothing, status: 'rejected', ended_at: timestamp };
  }
  const { name, brief, policy, tasks, traceparent, roles, depth, rules } = fact.payload;
  const deadline_at = timestamp + policy.deadline_ms;
  const about = { name, brief, policy, traceparent, roles, depth, rules };
  const state = { ...base, ...about, deadline_at, status: 'planning' } as const;
  const { planner } = policy.options;
  const given = tasks.length > 0 || planner === 'none' || (planner === 'heuristic' && rules === 0);
  return given ? state : withPlan(state, planningPlan(brief, policy));
}

function withPlan<T extends Unnumbered>(state: T, plan: Plan): T {
  // Tasks that were in the plan before keep what has become of them.
  const before = (id: string) => state.tasks[state.plan?.index.get(id) ?? -1];
  return { ...state, plan, tasks: plan.tasks.map(({ id }) => before(id) ?? newTask) };
}

/** A review is over. What was decided on a call goes with its attempt from now on. */
function answered(
  state: MissionState,
  review_id: string,
  decision: string,
  comment: string,
  at: number,
): MissionState {
  const review = state.reviews.find((each) => each.review_id === review_id);
  const reviews = state.reviews.filter((each) => each !== review);
  const next = { ...state, reviews, updated_at: at };
  if (review === undefined) return next;
  if (review.kind === 'budget') {
    const grants = state.grants + (decision === 'approved' ? 1 : 0);
    return { ...next, grants, cheaper: state.cheaper || decision === 'cheaper' };
  }
  const tried = redriven(state, review, decision);
  if (tried !== null) return { ...tried, reviews, updated_at: at };
  const position = state.plan?.index.get(review.task_id);
  const task = position === undefined ? undefined : state.tasks[position];
  if (position === undefined || task === undefined) return next;
  const { step, arguments_hash } = review;
  const answer: ReviewAnswer = { review_id, step, arguments_hash, decision, comment: cut(comment, 2_000) };
  return { ...next, tasks: state.tasks.with(position, { ...task, answers: [...task.answers, answer] }) };
}

const withoutReviewsOf = (state: MissionState, task_id: string): MissionState =>
  state.reviews.length === 0
    ? state
    : { ...state, reviews: state.reviews.filter((review) => review.task_id !== task_id) };

function timeoutOf({ plan, policy }: MissionState, task_id: string, reserved: Amounts | null): number {
  const timeout_ms = plan?.tasks[plan.index.get(task_id) ?? -1]?.timeout_ms ?? policy.task_timeout_ms;
  return timeOf({ timeout_ms }, reserved);
}

const freshAttempt = {
  timeout_at: 0,
  timeout_left: 0,
  started_at: 0,
  journal_partition: -1,
  journal_offset: -1,
  expired: 0,
  answers: [],
  reported: 0,
  waiting_for: '',
} as const;

const ended = (at: number) => ({
  ended_at: at,
  lease_until: 0,
  timeout_at: 0,
  timeout_left: 0,
  retry_at: 0,
  reserved: null,
  answers: [],
  waiting_for: '',
  checkpoint: '',
});

/** The end of a mission. Tasks that nobody works on are cancelled with it; the others get a fact each. */
function end(state: MissionState, status: Status, at: number): MissionState {
  const tasks = state.tasks.map((task) =>
    task.status === 'pending' ? { ...task, ...ended(at), status: 'cancelled' as const } : task,
  );
  const nothing = { reviews: [], joins: [], deadline_at: 0 };
  return { ...state, status, tasks, ...nothing, ended_at: at, updated_at: at };
}

function broken(fact: FactDraft, { correlation_id }: FactEnvelope, why: string): Failure {
  return new Failure('ledger_broken', `${fact.event_type} of mission ${correlation_id}: ${why}`);
}
