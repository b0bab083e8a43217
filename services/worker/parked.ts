import type { PayloadOf, ReviewAnswer } from '#schemas/types.gen.ts';
import type { Unfinished } from './journal-fold.ts';

/** What a person is asked about a call. */
export type Question = Omit<PayloadOf<'review_requested'>, 'task_id' | 'attempt' | 'lease' | 'agent'>;

/** The attempt waits for a person: its slot is free, its journal stays, and a resume goes on at this step. */
export class Parked extends Error {
  readonly question: Question;

  constructor(question: Question) {
    super(`parked: ${question.review_id}`);
    this.name = 'Parked';
    this.question = question;
  }
}

/** The id of the review of a step: the same for each lease that comes to it. */
export const callReview = (attemptKey: string, step: number): string => `${attemptKey}/${step}`;

const reconcileMark = '/reconcile/';

/** A call may be begun, lost and asked about more than once, each time under another lease. */
export const reconcileReview = (attemptKey: string, step: number, lease: number): string =>
  `${callReview(attemptKey, step)}${reconcileMark}${lease}`;

/** What was decided on the step's call; null: nobody has been asked. */
export function decided(
  answers: readonly ReviewAnswer[],
  attemptKey: string,
  step: number,
): ReviewAnswer | null {
  return answers.find(({ review_id }) => review_id === callReview(attemptKey, step)) ?? null;
}

/**
 * What was decided on a call that may have happened. An answer under which it was begun again is used up; one that says
 * that it happened begins nothing, and stays true.
 */
export function reconciled(
  answers: readonly ReviewAnswer[],
  attemptKey: string,
  unfinished: Extract<Unfinished, { readonly kind: 'tool' }>,
): ReviewAnswer | null {
  const prefix = callReview(attemptKey, unfinished.step) + reconcileMark;
  const last = answers.findLast(({ review_id }) => review_id.startsWith(prefix)) ?? null;
  const used = last?.review_id === unfinished.review_id && last.decision !== 'happened';
  return used ? null : last;
}
