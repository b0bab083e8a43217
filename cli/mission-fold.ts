import { evolve } from '#orchestrator/evolve.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { type MissionState, missionHasEnded, taskHasEnded } from '#orchestrator/state.ts';

/** What is known of one mission, as its facts come in. */
export interface MissionFold {
  readonly state: MissionState | null;
  /** All its facts are there: it has ended, and so has every task of it. */
  readonly over: boolean;
  /** Failures of attempts that were, or will be, tried again. */
  readonly retries: number;
  add(fact: FactEvent): void;
}

/** The same `evolve` as the orchestrator's, so that what a person sees is what it knows. */
export function foldMission(): MissionFold {
  let state: MissionState | null = null;
  let retries = 0;
  return {
    get state() {
      return state;
    },
    get over() {
      return state !== null && missionHasEnded(state) && state.tasks.every(taskHasEnded);
    },
    get retries() {
      return retries;
    },
    add(fact) {
      if (fact.event_type === 'task_attempt_failed') retries += 1;
      state = evolve(state, fact, fact);
    },
  };
}
