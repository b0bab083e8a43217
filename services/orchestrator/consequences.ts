import type { FailureCode } from '#chassis/failures.ts';
import { askForAnotherPlan, askHeuristics, planFromHeuristics, takePlan } from './adopting.ts';
import { release } from './assigning.ts';
import { endedWhileUndoing } from './compensating.ts';
import { cut } from './cut.ts';
import { cancelDependents, finish, isTolerated, stop } from './ending.ts';
import { needsNoModel } from './planning.ts';
import { named } from './positions.ts';
import { canReplan } from './replanning.ts';
import { waitsForMore } from './settling.ts';
import { type MissionState, taskHasEnded } from './state.ts';
import type { Turn } from './turn.ts';
import { suspendedFor } from './undoing.ts';
import { completeWaves } from './waves.ts';

/** What the end of a task leads to. */

/** The task at this position has just completed or failed for good. */
export function taskEnded(turn: Turn, position: number, result: string): void {
  const { state } = turn;
  if (state.undoing !== '') {
    endedWhileUndoing(turn, position);
    return;
  }
  const failed = state.tasks[position]?.status === 'failed';
  const { id, kind, code, message } = named(state, position);
  if (kind === 'plan') {
    if (!failed) takePlan(turn, position, result);
    else if (withoutModel.has(code) && mayFallBack(state, position)) {
      const why = `no model could plan (${code}): ${cut(message, 500)}`;
      if (state.rules === 0) planFromHeuristics(turn, [why]);
      else askHeuristics(turn, why);
    } else if (suspendedFor(state).length > 0) release(turn);
    else stop(turn, 'task_failed', `task ${id} failed (${code}): ${message}`);
  } else if (failed && !isTolerated(state.plan, position)) {
    failedForGood(turn, position);
  } else {
    completeWaves(turn, [position, ...(failed ? cancelDependents(turn, position) : [])]);
    finishOrRelease(turn);
  }
}

/** Whether the planner that needs no model may be asked, and was not. */
const mayFallBack = ({ policy, replans, plan }: MissionState, position: number): boolean =>
  policy.options.planner !== 'model' && replans === 0 && !needsNoModel(plan?.tasks[position]);

/** Codes of a planning task after which only a plan without a model is left. */
const withoutModel: ReadonlySet<string> = new Set<FailureCode>([
  'model_not_configured',
  'key_missing',
  'key_refused',
  'model_unknown',
  'model_failed',
  'model_overloaded',
  'rate_limited',
  'model_timeout',
  'stream_broken',
]);

function failedForGood(turn: Turn, position: number): void {
  const { state } = turn;
  const { id, code, message } = named(state, position);
  completeWaves(turn, [position]);
  switch (state.policy.on_failure) {
    case 'continue':
      completeWaves(turn, cancelDependents(turn, position));
      finishOrRelease(turn);
      break;
    case 'suspend':
      // What runs goes on; then a person is asked.
      release(turn);
      break;
    case 'replan':
      if (state.status === 'planning') finishOrRelease(turn);
      else if (canReplan(state)) askForAnotherPlan(turn);
      else stop(turn, 'task_failed', `task ${id} failed (${code}), and no replan is left: ${message}`);
      break;
    default:
      stop(turn, 'task_failed', `task ${id} failed (${code}): ${message}`);
  }
}

/** Ends the mission if all its tasks have ended, and nobody else has to say so; else assigns what may be. */
export function finishOrRelease(turn: Turn): void {
  const waits = turn.state.undoing !== '' || suspendedFor(turn.state).length > 0;
  if (waits || !turn.state.tasks.every(taskHasEnded)) release(turn);
  else if (!waitsForMore(turn.state)) finish(turn);
}
