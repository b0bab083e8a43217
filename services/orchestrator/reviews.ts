import type { FailureCode } from '#chassis/failures.ts';
import type { PendingReview } from '#schemas/types.gen.ts';

/** What a decision on a review leads to. */
export type Consequence =
  /** The attempt that was parked goes on; what was decided goes with it. */
  | { readonly next: 'resume' }
  | { readonly next: 'release' }
  | { readonly next: 'stop'; readonly code: FailureCode; readonly message: string };

/**
 * The decisions that each kind of review takes:
 * - `tool_call`: approved (make the call) or rejected (tell the model no),
 * - `reconcile`, for a call that may have happened: approved (make it again), happened (count it as done) or rejected,
 * - `plan`: approved or rejected,
 * - `budget`: approved (the same again), cheaper (go on with the cheaper models) or rejected,
 * - `pause`, that a reaction asked for: approved (go on) or rejected,
 * - `compensation`, for one that failed: approved (try it again), happened (it was done by hand) or rejected (stop),
 * - `suspend`, for tasks that failed: approved (try them again, and go on) or rejected (the mission fails).
 * `expired` is what the timer decides.
 */
export const decisions: Readonly<Record<string, readonly string[]>> = {
  tool_call: ['approved', 'rejected'],
  reconcile: ['approved', 'happened', 'rejected'],
  plan: ['approved', 'rejected'],
  budget: ['approved', 'cheaper', 'rejected'],
  compensation: ['approved', 'happened', 'rejected'],
  suspend: ['approved', 'rejected'],
  pause: ['approved', 'rejected'],
};

/** Whether this kind of review takes the decision from a person. */
export function takes(
  { kind }: PendingReview,
  decision: string,
  { cheaper }: { readonly cheaper: boolean },
): boolean {
  // Twice cheaper would change nothing, and the same question would be asked again.
  if (kind === 'budget' && decision === 'cheaper' && cheaper) return false;
  return Object.hasOwn(decisions, kind) && decisions[kind]?.includes(decision) === true;
}

export function reviewed({ kind, task_id }: PendingReview, decision: string): Consequence {
  const expired = decision === 'expired';
  if (task_id !== '') return { next: 'resume' };
  if (expired) return { next: 'stop', code: 'review_expired', message: `the review of the ${kind} expired` };
  if (decision !== 'rejected') return { next: 'release' };
  if (kind === 'pause') return { next: 'stop', code: 'pause_rejected', message: 'it shall not go on' };
  return kind === 'plan'
    ? { next: 'stop', code: 'plan_rejected', message: 'the plan was rejected' }
    : { next: 'stop', code: 'budget_exhausted', message: 'no more was granted' };
}
