import type { IgnoreReason } from './input.ts';
import { inFlight, type TaskState, taskHasEnded } from './state.ts';

/** Why a report or a renewal of this attempt and lease says nothing about the task any more; null: it does. */
export function whyStale(
  task: TaskState,
  { attempt, lease }: { readonly attempt: number; readonly lease: number },
): IgnoreReason | null {
  if (taskHasEnded(task)) return 'TaskEnded';
  // It gave its lease back when it was parked.
  if (task.status === 'parked' && attempt === task.attempt) return 'LeaseStale';
  if (!inFlight(task)) return attempt === task.attempt && attempt > 0 ? 'AttemptEnded' : 'NotAssigned';
  if (attempt !== task.attempt) return 'AttemptStale';
  if (lease !== task.lease) return 'LeaseStale';
  return null;
}
