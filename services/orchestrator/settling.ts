import { type MissionState, missionHasEnded, taskHasEnded } from './state.ts';

/** When a mission whose tasks have all ended is not over yet. */

/** Something of its own reacts to what happens in it, and may still make tasks of it. */
export const reacts = ({ policy }: Pick<MissionState, 'policy'>): boolean =>
  policy.options.subscriptions.length > 0 || policy.options.aggregators.length > 0;

/** A reaction has asked a person to look, and nobody has answered. */
export const isPaused = ({ reviews }: Pick<MissionState, 'reviews'>): boolean =>
  reviews.some(({ kind }) => kind === 'pause');

/** All tasks have ended, and yet somebody else has to say that it is over: its reactions, or a person. */
export const waitsForMore = (state: MissionState): boolean => reacts(state) || isPaused(state);

/** Whether this settling ends the mission: it has seen everything, and nothing is left to do or to be asked. */
export const settles = (state: MissionState, up_to: number): boolean =>
  reacts(state) &&
  !missionHasEnded(state) &&
  up_to === state.sequence &&
  state.undoing === '' &&
  state.reviews.length === 0 &&
  state.tasks.every(taskHasEnded);
