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
 * - `budget`: approved (the same again), cheaper (go on with the cheaper models) or rejected.
 * `expired` is what the timer decides.
 */
export const decisions: Readonly<Record<string, readonly string[]>> = {
  tool_call: ['approved', 'rejected'],
  reconcile: ['approved', 'happened', 'rejected'],
  plan: ['approved', 'rejected'],
  budget: ['approved', 'cheaper', 'rejected'],
};

/** Null: this kind of review does not take the decision. */
export function reviewed({ kind, task_id }: PendingReview, decision: string): Consequence | null {
  const expired = decision === 'expired';
  const known = Object.hasOwn(decisions, kind) ? decisions[kind] : [];
  if (!expired && known?.includes(decision) !== true) return null;
  if (task_id !== '') return { next: 'resume' };
  if (expired) return { next: 'stop', code: 'review_expired', message: `the review of the ${kind} expired` };
  if (decision !== 'rejected') return { next: 'release' };
  return kind === 'plan'
    ? { next: 'stop', code: 'plan_rejected', message: 'the plan was rejected' }
    : { next: 'stop', code: 'budget_exhausted', message: 'no more was granted' };
}
