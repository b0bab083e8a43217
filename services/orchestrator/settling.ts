import { type MissionState, missionHasEnded, taskHasEnded } from './state.ts';
import { isStuck } from './stuck.ts';

/** When a mission in which nothing goes on by itself is not over yet. */

/** Something of its own reacts to what happens in it, and may still make tasks of it. */
export const reacts = ({ policy }: Pick<MissionState, 'policy'>): boolean =>
  policy.options.subscriptions.length > 0 || policy.options.aggregators.length > 0;

/** A reaction may still add a task. While a mission undoes its work, it takes no more. */
export const mayReact = (state: MissionState): boolean => reacts(state) && state.undoing === '';

/** A reaction has asked a person to look, and nobody has answered. */
export const isPaused = ({ reviews }: Pick<MissionState, 'reviews'>): boolean =>
  reviews.some(({ kind }) => kind === 'pause');

/** All tasks have ended, and yet somebody else has to say that it is over: its reactions, or a person. */
export const waitsForMore = (state: MissionState): boolean => reacts(state) || isPaused(state);

/**
 * Whether this settling counts: it has seen everything, and nothing is left to do or to be asked. Then the mission ends,
 * or, where tasks wait for what another should provide, nobody will.
 */
export const settles = (state: MissionState, up_to: number): boolean =>
  mayReact(state) &&
  !missionHasEnded(state) &&
  up_to === state.sequence &&
  state.reviews.length === 0 &&
  (state.tasks.every(taskHasEnded) || isStuck(state));
