import type { FailureCode } from '#chassis/failures.ts';
import { spentInFull } from './budget.ts';
import { beginUndoing } from './compensating.ts';
import { cut } from './cut.ts';
import { own, told } from './facts.ts';
import type { Plan } from './plan.ts';
import { idsOf, named, names, positionsOf } from './positions.ts';
import { inFlight, type MissionState, taskHasEnded } from './state.ts';
import type { Turn } from './turn.ts';
import { hasToUndo, ofThePlan, undoneIds } from './undoing.ts';

/** How tasks are cancelled, and missions end. Statuses are looked at, never counted. */

/** The most bytes of a mission's result, or of why it failed. */
export const mostResult = 8 * 1024;

/** Cancels all that needs the failed task, directly or not; returns the positions. */
export function cancelDependents(turn: Turn, failed: number): number[] {
  const { plan } = turn.state;
  const cancelled: number[] = [];
  const reached = [failed];
  for (let at = reached.shift(); at !== undefined; at = reached.shift()) {
    for (const position of plan?.dependents[at] ?? []) {
      const task = turn.state.tasks[position];
      if (task === undefined || taskHasEnded(task) || plan?.tasks[position]?.partial === true) continue;
      cancelTask(turn, position, `it needs ${named(turn.state, at).id}, which did not complete`);
      cancelled.push(position);
      reached.push(position);
    }
  }
  return cancelled;
}

/** Cancels the tasks that were given to somebody. Those that were not are cancelled by the mission's end alone. */
export function cancelTasks(turn: Turn, reason: string): void {
  turn.state.tasks.forEach((task, position) => {
    if (inFlight(task) || task.status === 'waiting' || task.status === 'parked')
      cancelTask(turn, position, reason);
  });
}

export function cancelTask(turn: Turn, position: number, reason: string): void {
  const { id, role, attempt, lease, kind } = named(turn.state, position);
  turn.add(told('task_cancelled', role, { task_id: id, role, attempt, lease, reason, kind }));
}

/** Fails the mission before all its tasks have ended; where it says so, when what it did is undone. */
export function stop(turn: Turn, code: FailureCode, message: string): void {
  // One end is enough: what is being undone fails for what it began to be undone for.
  if (turn.state.undoing !== '') return;
  if (hasToUndo(turn.state)) {
    beginUndoing(turn, { code, message: cut(message, mostResult), cancelled_by: null });
    return;
  }
  cancelTasks(turn, cut(message, mostResult));
  fail(turn, code, message);
}

export function fail(turn: Turn, code: string, message: string, compensated: readonly string[] = []): void {
  const { state, now } = turn;
  const ofPlan = positionsOf(state, 'failed').filter((at) => state.plan?.tasks[at]?.compensates === '');
  const failed_tasks = idsOf(state, ofPlan);
  const completed = ofThePlan(state).filter(({ status }) => status === 'completed').length;
  const duration_ms = now - state.created_at;
  const why = { code, message: cut(message, mostResult) };
  const about = { failed_tasks, completed, duration_ms, usage: turn.state.spent, compensated };
  // One that went on after a failure has something to show.
  const result = state.policy.on_failure === 'continue' ? partialResult(state) : '';
  turn.add(own('mission_failed', { ...why, ...about, result }));
}

/** The most bytes of ids in a fact that has to fit, however many tasks there are. */
const mostIds = 32 * 1024;

/** Ends the mission as it is: nothing is undone, and what was given to somebody is cancelled with it. */
export function failAtOnce(turn: Turn, code: string, message: string): void {
  const { state, now } = turn;
  const ofPlan = positionsOf(state, 'failed').filter((at) => state.plan?.tasks[at]?.compensates === '');
  const why = { code, message: cut(message, mostResult) };
  const about = {
    failed_tasks: firstOf(idsOf(state, ofPlan)),
    completed: ofThePlan(state).filter(({ status }) => status === 'completed').length,
    duration_ms: now - state.created_at,
    // The tasks that are cancelled only follow, but what is booked for them is part of its books.
    usage: spentInFull(state),
    compensated: firstOf(undoneIds(state)),
  };
  const result = state.policy.on_failure === 'continue' ? partialResult(state) : '';
  turn.add(own('mission_failed', { ...why, ...about, result }));
  cancelTasks(turn, 'the mission has failed');
}

/** As many as there is room for. */
function firstOf(ids: readonly string[]): string[] {
  let bytes = 0;
  return ids.filter((id) => {
    bytes += Buffer.byteLength(id);
    return bytes <= mostIds;
  });
}

/**
 * Whether all that needs the task makes do without it, directly or not: a synthesis names what is missing, so the
 * failure of what it summarizes is not the failure of the mission.
 */
export function isTolerated(
  plan: Plan | null,
  position: number,
  known = new Map<number, boolean>(),
): boolean {
  const before = known.get(position);
  if (before !== undefined) return before;
  const dependents = plan?.dependents[position] ?? [];
  const without = (dependent: number) =>
    plan?.tasks[dependent]?.partial === true || isTolerated(plan, dependent, known);
  const tolerated = dependents.length > 0 && dependents.every(without);
  known.set(position, tolerated);
  return tolerated;
}

/** All tasks have ended. */
export function finish(turn: Turn): void {
  const { state, now } = turn;
  const fatal = (status: string) => positionsOf(state, status).filter((at) => !isTolerated(state.plan, at));
  const failed = idsOf(state, fatal('failed'));
  const notDone = idsOf(state, fatal('cancelled'));
  if (failed.length > 0 || notDone.length > 0) {
    const rest = notDone.length > 0 ? `; not done, as they need what failed: ${names(notDone)}` : '';
    fail(turn, 'task_failed', `failed: ${names(failed)}${rest}`);
    return;
  }
  const missing = idsOf(state, [...positionsOf(state, 'failed'), ...positionsOf(state, 'cancelled')]);
  const attempts = state.tasks.reduce((sum, task) => sum + task.attempt, 0);
  const duration_ms = now - state.created_at;
  const result = missionResult(state);
  const about = { tasks: state.tasks.length, attempts, duration_ms, result };
  turn.add(own('mission_completed', { ...about, missing, usage: state.spent }));
}

/** The results of the tasks that no other task needs. */
function missionResult(state: MissionState): string {
  return resultOf(state, (position) => state.plan?.dependents[position]?.length === 0);
}

/** The results of the tasks that completed, and that no task which completed has made use of. */
function partialResult(state: MissionState): string {
  const done = (position: number) => state.tasks[position]?.status === 'completed';
  return resultOf(
    state,
    (position) => done(position) && state.plan?.dependents[position]?.some(done) !== true,
  );
}

function resultOf(state: MissionState, isLast: (position: number) => boolean): string {
  const last = state.tasks.flatMap((_, position) => (isLast(position) ? [named(state, position)] : []));
  const lines = last.filter(({ result }) => result !== '').map(({ id, result }) => `${id}: ${result}`);
  return cut(last.length === 1 ? (last[0]?.result ?? '') : lines.join('\n'), mostResult);
}
