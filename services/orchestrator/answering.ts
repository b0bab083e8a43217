import { doneByHand, endUndone } from './compensating.ts';
import { finishOrRelease } from './consequences.ts';
import { stop } from './ending.ts';
import { own } from './facts.ts';
import { type Decision, ignore, type ReviewInput, type TimerInput } from './input.ts';
import { type Consequence, reviewed, takes } from './reviews.ts';
import { whyFailed } from './suspending.ts';
import { fired } from './timers.ts';
import type { Turn } from './turn.ts';
import { isAboutUndoing, isSuspension } from './undoing.ts';

/** What a person's answer to a review leads to, and what it leads to that nobody answers. */

export function answer(turn: Turn, input: ReviewInput): Decision {
  const { state, now } = turn;
  const review = state.reviews.find(({ review_id }) => review_id === input.review_id);
  // One that was answered before is known no more: an answer counts once.
  if (review === undefined) return ignore('ReviewUnknown');
  if (review.expires_at > 0 && now >= review.expires_at) return ignore('ReviewExpired');
  if (review.arguments_hash !== input.arguments_hash) return ignore('ReviewDiffers');
  if (!takes(review, input.decision, state)) return ignore('DecisionUnknown');
  const { review_id, task_id } = review;
  const { decision, arguments_hash, reviewer, comment } = input;
  const why = `${reviewer}${comment === '' ? '' : `: ${comment}`}`;
  const aboutUndoing = isAboutUndoing(state, review);
  const failure = isSuspension(review) ? whyFailed(state) : null;
  turn.add(own('review_completed', { review_id, task_id, decision, arguments_hash, reviewer, comment }));
  if (aboutUndoing) undoingAnswered(turn, task_id, decision, why);
  else if (failure !== null && decision === 'rejected') stop(turn, 'task_failed', `${failure} (${why})`);
  else follow(turn, reviewed(review, decision), why);
  return turn.decision();
}

export function unanswered(turn: Turn, timer: TimerInput): Decision {
  const { state, now } = turn;
  const review = state.reviews.find(({ review_id }) => review_id === timer.review_id);
  if (review === undefined || review.expires_at !== timer.due_at || timer.due_at > now) {
    return ignore('TimerStale');
  }
  turn.add(fired(timer));
  follow(turn, reviewed(review, 'expired'), 'nobody answered in time');
  return turn.decision();
}

/** Approved: it has become a task to be done again. */
function undoingAnswered(turn: Turn, task_id: string, decision: string, why: string): void {
  if (decision === 'happened') doneByHand(turn, task_id);
  else if (decision === 'rejected') endUndone(turn, why);
  else finishOrRelease(turn);
}

function follow(turn: Turn, consequence: Consequence, why: string): void {
  switch (consequence.next) {
    // A parked attempt goes on as soon as there is a place in flight.
    case 'resume':
    case 'release':
      finishOrRelease(turn);
      break;
    case 'stop':
      stop(turn, consequence.code, `${consequence.message} (${why})`);
      break;
    default:
      consequence satisfies never;
  }
}
