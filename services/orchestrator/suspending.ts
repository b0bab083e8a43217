import { ask } from './assigning.ts';
import { cut } from './cut.ts';
import { mostResult } from './ending.ts';
import { idsOf, named, names } from './positions.ts';
import { inFlight, type MissionState } from './state.ts';
import type { Turn } from './turn.ts';
import { suspendedFor } from './undoing.ts';

/**
 * A mission with `on_failure: suspend` assigns nothing new after a failure. When what runs has ended, a person decides:
 * the failed tasks are tried again and the mission goes on, or it fails.
 */

/**
 * Asks, once nobody works on anything any more and no other question waits. What waits for another task goes on waiting:
 * that may be among those that are tried again.
 */
export function askAboutFailures(turn: Turn): void {
  const { mission_id, tasks, suspensions } = turn.state;
  if (tasks.some((task) => inFlight(task) || (task.status === 'parked' && task.waiting_for === ''))) return;
  ask(turn, {
    kind: 'suspend',
    review_id: `${mission_id}/suspend/${suspensions}`,
    reason: cut(whyFailed(turn.state), mostResult),
  });
}

/** As a mission says it that fails at once; of several failures the rest by their names. */
export function whyFailed(state: MissionState): string {
  const [first, ...others] = suspendedFor(state);
  if (first === undefined) return 'nothing failed';
  const { id, code, message } = named(state, first);
  const more = others.length === 0 ? '' : `; failed, too: ${names(idsOf(state, others))}`;
  return `task ${id} failed (${code}): ${message}${more}`;
}
