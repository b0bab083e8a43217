import { type FactDraft, own } from './facts.ts';
import type { IgnoreReason, TimerInput, TimerKind } from './input.ts';
import { whyStale } from './stale.ts';
import { inFlight, type MissionState, missionHasEnded, type TaskState } from './state.ts';

/** The position of what belongs to no task: the deadline. */
const ofMission = -1;

/** Before when a timer that is due is not decided (epoch ms). */
export type NotBefore = (timer: TimerInput) => number;

/** When the next timer of the mission comes due (epoch ms); null: none is set. */
export function nextDue(state: MissionState, notBefore: NotBefore | null = null): number | null {
  let next = Number.POSITIVE_INFINITY;
  eachTimer(state, (timer, due_at, position, of) => {
    const paused = notBefore === null ? 0 : notBefore(inputOf(state, timer, due_at, position, of));
    next = Math.min(next, Math.max(due_at, paused));
  });
  return next === Number.POSITIVE_INFINITY ? null : next;
}

/**
 * The timers that are due, in the order in which they are to be decided: by time, then by position in the plan.
 * One may make another stale; `decide` then ignores that one.
 */
export function dueTimers(
  state: MissionState,
  now: number,
  notBefore: NotBefore | null = null,
): TimerInput[] {
  const due: TimerInput[] = [];
  eachTimer(state, (timer, due_at, position, of) => {
    if (due_at > now) return;
    const input = inputOf(state, timer, due_at, position, of);
    if (notBefore === null || notBefore(input) <= now) due.push(input);
  });
  // They are visited in the order of the plan, and the sort is stable.
  return due.sort((a, b) => a.due_at - b.due_at);
}

function inputOf(
  state: MissionState,
  timer: TimerKind,
  due_at: number,
  position: number,
  { review_id = '', aggregation = '' }: Of = {},
): TimerInput {
  const task_id = state.plan?.tasks[position]?.id ?? '';
  const { attempt, lease } = state.tasks[position] ?? { attempt: 0, lease: 0 };
  return { kind: 'timer', timer, task_id, attempt, lease, due_at, review_id, aggregation };
}

/** A deterministic event_id for a timer that fires: the `causation_id` of the facts that follow from it. */
export function timerId(mission_id: string, of: TimerInput): string {
  return [mission_id, 'timer', of.timer, ...whichOf(of), of.due_at].join(':');
}

function whichOf({ timer, task_id, attempt, lease, review_id, aggregation }: TimerInput) {
  if (timer === 'review') return [review_id];
  return timer === 'aggregation' ? [aggregation] : [task_id, attempt, lease];
}

/**
 * The state in which the lease lasts until `until` (epoch ms; a lease is never shortened), or the reason why this
 * renewal does not count. Not a fact: it moves a timer and decides nothing.
 */
export function renewLease(
  state: MissionState | null,
  task_id: string,
  attempt: number,
  lease: number,
  until: number,
): MissionState | IgnoreReason {
  if (state === null) return 'MissionUnknown';
  if (missionHasEnded(state)) return 'MissionEnded';
  const position = state.plan?.index.get(task_id) ?? ofMission;
  const task = state.tasks[position];
  if (task === undefined) return 'TaskUnknown';
  const reason = whyStale(task, { attempt, lease });
  if (reason !== null) return reason;
  if (task.status !== 'running') return 'NotStarted';
  if (until <= task.lease_until) return state;
  return { ...state, tasks: state.tasks.with(position, { ...task, lease_until: until }) };
}

interface Of {
  readonly review_id?: string;
  readonly aggregation?: string;
}

function eachTimer(
  state: MissionState,
  visit: (timer: TimerKind, due_at: number, position: number, of?: Of) => void,
): void {
  if (missionHasEnded(state)) return;
  // What is being undone has none.
  if (state.deadline_at > 0) visit('deadline', state.deadline_at, ofMission);
  for (const { review_id, task_id, expires_at } of state.reviews) {
    if (expires_at > 0)
      visit('review', expires_at, state.plan?.index.get(task_id) ?? ofMission, { review_id });
  }
  for (const { aggregation, due_at } of state.joins) {
    if (due_at > 0) visit('aggregation', due_at, ofMission, { aggregation });
  }
  state.tasks.forEach((task, position) => {
    eachTimerOf(task, (timer, due_at) => visit(timer, due_at, position));
  });
}

function eachTimerOf(task: TaskState, visit: (timer: TimerKind, due_at: number) => void): void {
  // An assigned task has no lease yet: it may wait in its topic for an agent as long as the mission's deadline lets it.
  // Nor has a mission of its own, which no agent holds.
  if (task.status === 'running' && task.lease_until > 0) visit('lease', task.lease_until);
  if (inFlight(task) && task.timeout_at > 0) visit('timeout', task.timeout_at);
  if (task.status === 'waiting') visit('retry', task.retry_at);
}

export function fired({
  timer,
  task_id,
  attempt,
  lease,
  due_at,
  review_id,
  aggregation,
}: TimerInput): FactDraft {
  return own('timer_fired', { timer, task_id, attempt, lease, due_at, review_id, aggregation });
}
