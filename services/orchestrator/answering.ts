import { finishOrRelease } from './consequences.ts';
import { stop } from './ending.ts';
import { own } from './facts.ts';
import { type Decision, ignore, type ReviewInput, type TimerInput } from './input.ts';
import { type Consequence, reviewed, takes } from './reviews.ts';
import { fired } from './timers.ts';
import type { Turn } from './turn.ts';

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
  turn.add(own('review_completed', { review_id, task_id, decision, arguments_hash, reviewer, comment }));
  follow(turn, reviewed(review, decision), `${reviewer}${comment === '' ? '' : `: ${comment}`}`);
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
