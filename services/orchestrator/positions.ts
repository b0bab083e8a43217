import { Failure } from '#chassis/failures.ts';
import type { MissionState } from './state.ts';

/** Looking tasks up by their position in the plan. */

/** Tasks that a message names before it says how many more there are. */
const mostNamed = 20;

export const positionsOf = (state: MissionState, status: string): number[] =>
  state.tasks.flatMap((task, position) => (task.status === status ? [position] : []));

export const idsOf = (state: MissionState, positions: readonly number[]): string[] =>
  positions.map((position) => state.plan?.tasks[position]?.id ?? '');

export function names(ids: readonly string[]): string {
  const more = ids.length > mostNamed ? ` and ${ids.length - mostNamed} more` : '';
  return ids.slice(0, mostNamed).join(', ') + more;
}

/** What the plan and the state say of one task. */
export function named(state: MissionState, position: number) {
  const spec = state.plan?.tasks[position];
  const task = state.tasks[position];
  if (spec === undefined || task === undefined) throw new Failure('internal_error', `no task ${position}`);
  return { ...task, id: spec.id, role: spec.role, kind: spec.kind };
}
