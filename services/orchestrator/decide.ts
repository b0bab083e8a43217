import { asFailure, Failure, isRetried } from '#chassis/failures.ts';
import type {
  EventOf,
  MissionPolicy,
  ParentTask,
  PayloadOf,
  Priority,
  TaskSpec,
} from '#schemas/types.gen.ts';
import { adoptPlan, planFromHeuristics } from './adopting.ts';
import { release, resume } from './assigning.ts';
import { spentInFull, unaccounted } from './budget.ts';
import { finishOrRelease, taskEnded } from './consequences.ts';
import { cancelTasks, stop } from './ending.ts';
import { type FactDraft, own, told } from './facts.ts';
import type { WrittenPlan } from './made-plans.ts';
import { type Plan, planFrom } from './plan.ts';
import { planningPlan } from './planning.ts';
import { deepestMission, retryDelay } from './policy.ts';
import { type Consequence, reviewed, takes } from './reviews.ts';
import { inFlight, type MissionState, missionHasEnded, type TaskState, taskHasEnded } from './state.ts';
import { Turn } from './turn.ts';

export type ReportType =
  | 'task_started'
  | 'task_completed'
  | 'task_attempt_failed'
  | 'task_released'
  | 'review_requested'
  | 'safety_violation';
export type ReportEvent = EventOf<ReportType>;

export interface SubmitInput {
  readonly kind: 'submit';
  readonly mission_id: string;
  readonly name: string;
  readonly brief: string;
  /** Empty: the role `orchestrator` makes a plan of the brief. */
  readonly tasks: readonly TaskSpec[];
  readonly policy: MissionPolicy;
  readonly priority: Priority;
  readonly traceparent: string;
  /** Roles that a plan made for this mission may use; empty: not restricted. */
  readonly roles: readonly string[];
  readonly parent: ParentTask | null;
  readonly depth: number;
}
/** A submission that cannot even be read as a mission. */
export interface RefuseInput {
  readonly kind: 'refuse';
  readonly mission_id: string;
  readonly priority: Priority;
  readonly code: string;
  readonly message: string;
  readonly parent: ParentTask | null;
}
export interface CancelInput {
  readonly kind: 'cancel';
  readonly reason: string;
  readonly by: string;
}
/** A person's answer to a review. */
export interface ReviewInput {
  readonly kind: 'review';
  readonly review_id: string;
  readonly decision: string;
  readonly arguments_hash: string;
  readonly reviewer: string;
  readonly comment: string;
}
export interface ReportInput {
  readonly kind: 'report';
  readonly event: ReportEvent;
}
export type TimerKind = 'lease' | 'timeout' | 'retry' | 'deadline' | 'review';
export interface TimerInput {
  readonly kind: 'timer';
  readonly timer: TimerKind;
  /** Empty for what belongs to the whole mission; attempt and lease are 0 then. */
  readonly task_id: string;
  readonly attempt: number;
  readonly lease: number;
  /** Epoch ms. */
  readonly due_at: number;
  /** Of a review, else empty. */
  readonly review_id: string;
}
export type Input = SubmitInput | RefuseInput | CancelInput | ReviewInput | ReportInput | TimerInput;

/** Why an input changes nothing; counted by the shell. */
export type IgnoreReason =
  | 'MissionAlreadyKnown'
  | 'MissionUnknown'
  | 'MissionEnded'
  | 'TaskUnknown'
  | 'TaskEnded'
  | 'NotAssigned'
  | 'NotStarted'
  | 'AttemptEnded'
  | 'AttemptStale'
  | 'LeaseStale'
  | 'AlreadyStarted'
  | 'NotRunning'
  | 'ReviewUnknown'
  | 'ReviewExpired'
  /** The answer is for other arguments than those that were asked about. */
  | 'ReviewDiffers'
  | 'DecisionUnknown'
  | 'TimerStale';

export type Decision =
  /** `state` is the state before with all the facts folded in. */
  | { readonly kind: 'facts'; readonly facts: readonly FactDraft[]; readonly state: MissionState }
  | { readonly kind: 'ignored'; readonly reason: IgnoreReason };

/** An agent that loses its lease this often in one attempt gets no more of them: something kills it. */
const mostLeases = 10;

const ignore = (reason: IgnoreReason): Decision => ({ kind: 'ignored', reason });

/**
 * What follows from an input: first the input's own fact, then what it leads to. Pure: the same state, input and time
 * give the same facts. `now` (epoch ms) must not be before the state's `updated_at`. `written` is for deciding again
 * what is on the ledger: a plan that rules made is taken as it was written then, if it can be.
 */
export function decide(
  state: MissionState | null,
  input: Input,
  { now, written = null }: { readonly now: number; readonly written?: WrittenPlan | null },
): Decision {
  if (input.kind === 'submit' || input.kind === 'refuse') {
    return state === null ? begin(input, now, written) : ignore('MissionAlreadyKnown');
  }
  if (state === null) return ignore('MissionUnknown');
  if (missionHasEnded(state)) return ignore('MissionEnded');
  if (now < state.updated_at) {
    const message = `mission ${state.mission_id}: found time ${now}, expected at least ${state.updated_at}`;
    throw new Failure('internal_error', message);
  }
  const turn = new Turn(state, now, written);
  switch (input.kind) {
    case 'cancel':
      return cancel(turn, input);
    case 'review':
      return answer(turn, input);
    case 'report':
      return report(turn, input.event);
    case 'timer':
      switch (input.timer) {
        case 'deadline':
          return deadline(turn, input);
        case 'review':
          return unanswered(turn, input);
        default:
          return taskTimer(turn, input);
      }
    default: {
      const unknown: never = input;
      throw new Failure('internal_error', `not an input: ${JSON.stringify(unknown)}`);
    }
  }
}

function begin(input: SubmitInput | RefuseInput, now: number, written: WrittenPlan | null): Decision {
  const { mission_id, priority } = input;
  const envelope = { correlation_id: mission_id, priority, timestamp: now };
  const reject = (code: string, message: string) =>
    Turn.begin(own('mission_rejected', { code, message, parent: input.parent }), envelope).decision();
  if (input.kind === 'refuse') return reject(input.code, input.message);

  const { name, brief, tasks, policy, traceparent, roles, parent, depth } = input;
  if (depth > deepestMission) {
    return reject('too_deep', `found ${depth} missions above this one, expected at most ${deepestMission}`);
  }
  let plan: Plan | null;
  try {
    // What the brief asks for is only known once there is a plan, but an empty one is refused at once.
    plan = tasks.length > 0 ? planFrom(tasks, policy) : null;
    if (plan === null) planningPlan(brief, policy);
  } catch (error) {
    const { code, message } = asFailure(error);
    return reject(code, message);
  }
  const accepted = { name, brief, policy, tasks, traceparent, roles, parent, depth };
  const turn = Turn.begin(own('mission_accepted', accepted), envelope, written);
  if (plan !== null) adoptPlan(turn, plan, 'mission');
  else if (policy.options.planner === 'heuristic') planFromHeuristics(turn, []);
  else release(turn);
  return turn.decision();
}

function cancel(turn: Turn, { reason, by }: CancelInput): Decision {
  const completed = turn.state.tasks.filter((task) => task.status === 'completed').length;
  // The tasks that are cancelled with it only follow, but what is booked for them is part of its books.
  const usage = spentInFull(turn.state);
  turn.add(own('mission_cancelled', { reason, cancelled_by: by, completed, usage }));
  cancelTasks(turn, 'the mission was cancelled');
  return turn.decision();
}

function answer(turn: Turn, input: ReviewInput): Decision {
  const { state, now } = turn;
  const review = state.reviews.find(({ review_id }) => review_id === input.review_id);
  // One that was answered before is known no more: an answer counts once.
  if (review === undefined) return ignore('ReviewUnknown');
  if (review.expires_at > 0 && now >= review.expires_at) return ignore('ReviewExpired');
  if (review.arguments_hash !== input.arguments_hash) return ignore('ReviewDiffers');
  if (!takes(review, input.decision, state)) return ignore('DecisionUnknown');
  const { review_id, task_id } = review;
  const { decision, arguments_hash, reviewer, comment } = input;
  turn.add(own('review_completed', { review_id, task_id, decision, arguments_hash, reviewer, comment }));
  follow(turn, reviewed(review, decision), `${reviewer}${comment === '' ? '' : `: ${comment}`}`);
  return turn.decision();
}

function unanswered(turn: Turn, timer: TimerInput): Decision {
  const { state, now } = turn;
  const review = state.reviews.find(({ review_id }) => review_id === timer.review_id);
  if (review === undefined || review.expires_at !== timer.due_at || timer.due_at > now) {
    return ignore('TimerStale');
  }
  turn.add(fired(timer));
  follow(turn, reviewed(review, 'expired'), 'nobody answered in time');
  return turn.decision();
}

function follow(turn: Turn, consequence: Consequence, why: string): void {
  switch (consequence.next) {
    // A parked attempt goes on as soon as there is a place in flight.
    case 'resume':
    case 'release':
      release(turn);
      break;
    case 'stop':
      stop(turn, consequence.code, `${consequence.message} (${why})`);
      break;
    default:
      consequence satisfies never;
  }
}

function report(turn: Turn, event: ReportEvent): Decision {
  const { state, now } = turn;
  const position = state.plan?.index.get(event.payload.task_id) ?? -1;
  const task = state.tasks[position];
  if (task === undefined) return ignore('TaskUnknown');
  const reason =
    whyStale(task, event.payload) ?? (event.event_type === 'task_started' ? whyStarted(task) : null);
  if (reason !== null) return ignore(reason);

  const { source_agent, target_agent } = event;
  switch (event.event_type) {
    case 'task_started':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      break;
    case 'task_completed':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      taskEnded(turn, position, event.payload.result);
      break;
    case 'task_attempt_failed':
      attemptFailed(turn, position, { source_agent, target_agent }, event.payload);
      break;
    case 'task_released':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      resume(turn, position);
      break;
    case 'review_requested':
      if (task.status !== 'running') return ignore('NotRunning');
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      // The parked task gave its place in flight back.
      finishOrRelease(turn);
      break;
    case 'safety_violation':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      attemptFailed(turn, position, { source_agent, target_agent }, violation(event.payload));
      break;
    default: {
      const unknown: never = event;
      throw new Failure('internal_error', `not a report at ${now}: ${JSON.stringify(unknown)}`);
    }
  }
  return turn.decision();
}

/** Why a report or a renewal of this attempt and lease says nothing about the task any more; null: it does. */
export function whyStale(
  task: TaskState,
  { attempt, lease }: { readonly attempt: number; readonly lease: number },
): IgnoreReason | null {
  if (taskHasEnded(task)) return 'TaskEnded';
  // It gave its lease back when it was parked.
  if (task.status === 'parked' && attempt === task.attempt) return 'LeaseStale';
  if (!inFlight(task)) return attempt === task.attempt && attempt > 0 ? 'AttemptEnded' : 'NotAssigned';
  if (attempt !== task.attempt) return 'AttemptStale';
  if (lease !== task.lease) return 'LeaseStale';
  return null;
}

const violation = (payload: PayloadOf<'safety_violation'>): PayloadOf<'task_failed'> => ({
  ...payload,
  code: 'safety_violation',
  message: `${payload.rule} (${payload.where}): ${payload.reason}`,
});

const whyStarted = (task: TaskState): IgnoreReason | null =>
  task.status === 'running' ? 'AlreadyStarted' : null;

/** An attempt ended in failure: it is tried again later, or the task has failed for good. */
function attemptFailed(
  turn: Turn,
  position: number,
  between: { readonly source_agent: string; readonly target_agent: string },
  report: PayloadOf<'task_failed'>,
): void {
  const { state, now } = turn;
  const { task_id, attempt, lease, agent, code, message, steps, journal_hash, usage, duration_ms } = report;
  const failure = { task_id, attempt, lease, agent, code, message, steps, journal_hash, usage, duration_ms };
  if (isRetried(code) && attempt < (state.plan?.tasks[position]?.max_attempts ?? 0)) {
    const retry_at = now + retryDelay(state.policy, attempt);
    turn.add({ event_type: 'task_attempt_failed', ...between, payload: { ...failure, retry_at } });
    // The task gave its place in flight back.
    finishOrRelease(turn);
  } else {
    turn.add({ event_type: 'task_failed', ...between, payload: failure });
    taskEnded(turn, position, '');
  }
}

function deadline(turn: Turn, timer: TimerInput): Decision {
  const { state, now } = turn;
  if (timer.due_at !== state.deadline_at || timer.due_at > now) return ignore('TimerStale');
  turn.add(fired(timer));
  stop(turn, 'deadline_passed', `the mission did not end within ${state.policy.deadline_ms} ms`);
  return turn.decision();
}

function taskTimer(turn: Turn, timer: TimerInput): Decision {
  const { state, now } = turn;
  const position = state.plan?.index.get(timer.task_id) ?? -1;
  const task = state.tasks[position];
  if (task === undefined) return ignore('TaskUnknown');
  if (timer.due_at > now || timer.attempt !== task.attempt || !applies(timer, task))
    return ignore('TimerStale');

  turn.add(fired(timer));
  const fail = (code: 'timeout' | 'lease_lost', message: string) => {
    const { attempt, lease, agent } = task;
    const failure = {
      task_id: timer.task_id,
      attempt,
      lease,
      agent,
      code,
      message,
      steps: 0,
      journal_hash: '',
      ...unaccounted(task.reserved),
    };
    const role = state.plan?.tasks[position]?.role ?? '';
    const { source_agent, target_agent } = told('task_failed', role, failure);
    attemptFailed(turn, position, { source_agent, target_agent }, failure);
  };
  switch (timer.timer) {
    case 'lease':
      // The timer's own fact has counted this one already.
      if (task.expired + 1 < mostLeases) resume(turn, position);
      else fail('lease_lost', `the lease expired, as ${mostLeases - 1} others of this attempt did`);
      break;
    case 'timeout':
      fail('timeout', `no end within ${timer.due_at - task.started_at} ms`);
      break;
    case 'retry':
    case 'deadline':
    case 'review':
      release(turn);
  }
  return turn.decision();
}

/** A renewal moves a lease without a fact, so its timer is known by the lease's number, not by its time. */
function applies({ timer, lease, due_at }: TimerInput, task: TaskState): boolean {
  switch (timer) {
    case 'lease':
      return task.status === 'running' && lease === task.lease;
    case 'timeout':
      return inFlight(task) && due_at === task.timeout_at;
    case 'retry':
      return task.status === 'waiting' && due_at === task.retry_at;
    case 'deadline':
    case 'review':
      return false;
  }
}

function fired({ timer, task_id, attempt, lease, due_at, review_id }: TimerInput): FactDraft {
  return own('timer_fired', { timer, task_id, attempt, lease, due_at, review_id });
}
