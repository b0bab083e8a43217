import { give, resume } from './assigning.ts';
import { cut } from './cut.ts';
import { cancelTask, fail, mostResult } from './ending.ts';
import { own } from './facts.ts';
import { named, names } from './positions.ts';
import { inFlight, type MissionState } from './state.ts';
import type { Turn } from './turn.ts';
import {
  isAwaited,
  notUndoneIds,
  ofThePlan,
  toUndo,
  type Undoing,
  undoingOf,
  undoneIds,
  undoSpecs,
  undoTasks,
} from './undoing.ts';
import { completeWaves } from './waves.ts';

/**
 * A mission with `on_failure: compensate` that comes to nothing undoes what it did: the compensations of the tasks that
 * completed run in reverse order of their completion, one at a time, each a task with attempts of its own. Then the
 * mission ends as it would have ended.
 */

/** What must not be cut in half is awaited; all else that was given to somebody is cancelled. */
export function beginUndoing(turn: Turn, why: Undoing): void {
  turn.add(own('undoing_started', { ...why }));
  goOnUndoing(turn);
}

/** A task ended while the mission is being undone. */
export function endedWhileUndoing(turn: Turn, position: number): void {
  const spec = turn.state.plan?.tasks[position];
  const { id, status, code, message } = named(turn.state, position);
  const compensates = spec?.compensates ?? '';
  if (compensates === '') {
    completeWaves(turn, [position]);
    goOnUndoing(turn);
  } else if (status === 'completed') {
    turn.add(own('compensation_completed', { task_id: id, compensates }));
    goOnUndoing(turn);
  } else {
    turn.add(own('compensation_failed', { task_id: id, compensates, code, message }));
    askAboutUndoing(turn, position, compensates);
  }
}

/** A person says that it was done by hand. */
export function doneByHand(turn: Turn, task_id: string): void {
  const { plan } = turn.state;
  const compensates = plan?.tasks[plan.index.get(task_id) ?? -1]?.compensates ?? '';
  turn.add(own('compensation_completed', { task_id, compensates }));
  goOnUndoing(turn);
}

/** The next step of the undoing, as soon as nothing is under way any more. */
export function goOnUndoing(turn: Turn): void {
  turn.state.tasks.forEach((task, position) => {
    const given = inFlight(task) || task.status === 'waiting' || task.status === 'parked';
    const undoes = (turn.state.plan?.tasks[position]?.compensates ?? '') !== '';
    if (given && !undoes && !isAwaited(turn.state, position))
      cancelTask(turn, position, reasonOf(turn.state));
  });
  const { state } = turn;
  if (state.tasks.some(inFlight)) return;
  const undoes = undoTasks(state);
  // Before the first begins, the plan has none of them.
  if (undoes.length === 0) {
    if (toUndo(state).length === 0) endUndone(turn);
    else beginNext(turn);
    return;
  }
  const next = undoes.find((position) => state.tasks[position]?.status !== 'completed');
  if (next === undefined) endUndone(turn);
  else if (state.tasks[next]?.status === 'pending') beginNext(turn);
  else if (state.tasks[next]?.status === 'parked') resumeAnswered(turn, next);
}

function beginNext(turn: Turn): void {
  const { state } = turn;
  const next = undoTasks(state).find((position) => state.tasks[position]?.status === 'pending') ?? -1;
  const spec = state.plan?.tasks[next] ?? undoSpecs(state)[0];
  if (spec === undefined) return;
  turn.add(own('compensation_started', { task_id: spec.id, compensates: spec.compensates }));
  const position = turn.state.plan?.index.get(spec.id) ?? -1;
  const attempt = (turn.state.tasks[position]?.attempt ?? 0) + 1;
  // Undoing is never refused for want of a budget, so nothing is reserved for it.
  give(turn, position, { attempt, lease: 1, budget: null, cheaper: turn.state.cheaper });
}

/** Its agent asked a person, or waits for what another task provides. */
function resumeAnswered(turn: Turn, position: number): void {
  const { id, waiting_for } = named(turn.state, position);
  const asks = turn.state.reviews.some(({ task_id }) => task_id === id);
  if (!asks && waiting_for === '') resume(turn, position);
}

/** Each attempt is asked about once, so no id comes again. */
function askAboutUndoing(turn: Turn, position: number, compensates: string): void {
  const { id, attempt, code, message } = named(turn.state, position);
  const review_id = `${turn.state.mission_id}/${id}/${attempt}`;
  const reason = cut(`${compensates} could not be undone (${code}): ${message}`, mostResult);
  const nothing = { tool: '', arguments: '', arguments_hash: '', expires_at: 0, step: 0 };
  const about = { review_id, task_id: id, kind: 'compensation', reason };
  turn.add(own('review_requested', { ...nothing, ...about, attempt, lease: 0, agent: '' }));
}

/** All is undone, or a person has stopped the undoing: then `why` says who, and the end says what is left. */
export function endUndone(turn: Turn, why = ''): void {
  const { state } = turn;
  const undoing = undoingOf(state);
  if (undoing === null) return;
  const compensated = undoneIds(state);
  const message = cut(undoing.message + (why === '' ? '' : leftOf(state, compensated, why)), mostResult);
  if (undoing.cancelled_by === null) {
    fail(turn, undoing.code, message, compensated);
    return;
  }
  const completed = ofThePlan(state).filter(({ status }) => status === 'completed').length;
  const { cancelled_by } = undoing;
  const about = { reason: message, cancelled_by, completed, usage: state.spent, compensated };
  turn.add(own('mission_cancelled', about));
}

function leftOf(state: MissionState, undone: readonly string[], why: string): string {
  const done = undone.length === 0 ? 'nothing' : names(undone);
  return `; the undoing was stopped (${why}): undone: ${done}; not undone: ${names(notUndoneIds(state))}`;
}

const reasonOf = (state: MissionState): string =>
  cut(`the mission is being undone: ${undoingOf(state)?.message ?? ''}`, mostResult);
