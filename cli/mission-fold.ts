import { evolve } from '#orchestrator/evolve.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { type MissionState, missionHasEnded, taskHasEnded } from '#orchestrator/state.ts';
import type { PayloadOf } from '#schemas/types.gen.ts';

/** What is known of one mission, as its facts come in. */
export interface MissionFold {
  readonly state: MissionState | null;
  /** All its facts are there: it has ended, and so has every task of it. */
  readonly over: boolean;
  /** Failures of attempts that were, or will be, tried again. */
  readonly retries: number;
  /** Who made the plan it has, and what the planner says to people; null: there is none yet. */
  readonly planned: Planned | null;
  /** Tasks that are missing from the result of a mission that completed. */
  readonly missing: readonly string[];
  /** Roles that nobody ran when it was last said. */
  readonly absent: readonly string[];
  /** Why a mission failed or was rejected. */
  readonly failure: { readonly code: string; readonly message: string } | null;
  add(fact: FactEvent): void;
}

export type Planned = Pick<PayloadOf<'plan_created'>, 'made_by' | 'notes' | 'waves'>;

/** The same `evolve` as the orchestrator's, so that what a person sees is what it knows. */
export function foldMission(): MissionFold {
  let state: MissionState | null = null;
  let retries = 0;
  let planned: Planned | null = null;
  /** Why another planner was asked for the plan. */
  let fellBack: readonly string[] = [];
  let missing: readonly string[] = [];
  let failure: MissionFold['failure'] = null;
  const absent = new Set<string>();
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
    get planned() {
      return planned;
    },
    get failure() {
      return failure;
    },
    get absent() {
      return [...absent];
    },
    get missing() {
      return missing;
    },
    add(fact) {
      if (fact.event_type === 'task_attempt_failed') retries += 1;
      if (fact.event_type === 'plan_created') {
        const { made_by, notes, waves } = fact.payload;
        if (made_by === 'fallback') fellBack = notes;
        // A planning that was added is no plan.
        else if (made_by !== 'replanning') planned = { made_by, notes: [...fellBack, ...notes], waves };
      }
      if (fact.event_type === 'mission_completed') missing = fact.payload.missing;
      if (fact.event_type === 'mission_failed' || fact.event_type === 'mission_rejected') {
        failure = { code: fact.payload.code, message: fact.payload.message };
      }
      state = evolve(state, fact, fact);
      if (fact.event_type === 'role_unavailable') absent.add(fact.payload.role);
      if (fact.event_type === 'task_started')
        absent.delete(state.plan?.tasks[state.plan.index.get(fact.payload.task_id) ?? -1]?.role ?? '');
    },
  };
}
