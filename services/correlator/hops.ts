import type { FactEvent } from '#orchestrator/facts.ts';
import type { Correlation } from './state.ts';

/** Reactions to reactions, one after another, unless the mission says otherwise. */
export const defaultHops = 16;

export const hopLimit = ({ own }: Correlation): number => own?.max_hops || defaultHops;

/** A report carries its hops in its id, and whatever follows from it has that id as its cause. */
export const reactionId = (trigger: string, name: string, hops: number): string =>
  `${trigger}/${name}/hop-${hops}`;

const causedBy = /\/hop-(\d{1,6})$/;

/**
 * How many reactions, one after another, led to a fact. Nothing of a mission has fewer than the mission itself: else a
 * standing subscription could react for ever to the missions that it begins.
 */
export function hopsOf(state: Correlation, fact: FactEvent): number {
  const ofCause = Number(causedBy.exec(fact.causation_id)?.[1] ?? 0);
  return Math.max(state.hops, ofCause, ofPayload(state, fact));
}

function ofPayload({ tasks }: Correlation, { payload }: FactEvent): number {
  // What an agent emits says nothing of hops: its task does.
  const ofTask = 'task_id' in payload ? (tasks.get(payload.task_id)?.hops ?? 0) : 0;
  const said = 'hops' in payload ? payload.hops : 0;
  return Math.max(ofTask, said, 'task' in payload ? payload.task.hops : 0);
}
