import { Failure } from '#chassis/failures.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { missionHasEnded } from '#orchestrator/state.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { foldMission, type MissionFold } from './mission-fold.ts';

export type ReviewFact = EventOf<'review_requested'>;

/** What the ledger says of the reviews of one mission, as its facts come in. */
export class ReviewLedger {
  readonly fold: MissionFold = foldMission();
  /** The newest question of each id. */
  readonly #asked = new Map<string, ReviewFact>();
  readonly #closed = new Map<string, EventOf<'review_completed'> | EventOf<'timer_fired'>>();

  #sequence = 0;

  /** A fact that was read before changes nothing. */
  add(fact: FactEvent): void {
    if (fact.sequence <= this.#sequence) return;
    this.#sequence = fact.sequence;
    this.fold.add(fact);
    switch (fact.event_type) {
      case 'review_requested':
        this.#asked.set(fact.payload.review_id, fact);
        this.#closed.delete(fact.payload.review_id);
        break;
      case 'review_completed':
        this.#closed.set(fact.payload.review_id, fact);
        break;
      case 'timer_fired':
        if (fact.payload.timer === 'review') this.#closed.set(fact.payload.review_id, fact);
        break;
      default:
    }
  }

  /** Whether it waits for an answer now. */
  waits(review_id: string): boolean {
    return this.fold.state?.reviews.some((review) => review.review_id === review_id) === true;
  }

  question(review_id: string): ReviewFact | null {
    return this.#asked.get(review_id) ?? null;
  }

  /** How it was answered; null: not by a person. */
  answer(review_id: string): EventOf<'review_completed'> | null {
    const fact = this.#closed.get(review_id);
    return fact?.event_type === 'review_completed' ? fact : null;
  }

  /**
   * The review that a person means by its id or the beginning of it: of several, the only one that waits.
   * Throws Failure `review_unknown`, or `invalid_arguments` when it can mean more than one.
   */
  find(given: string): ReviewFact {
    const exact = this.question(given);
    if (exact !== null) return exact;
    const found = [...this.#asked.values()].filter(({ payload }) => payload.review_id.startsWith(given));
    const waiting = found.filter(({ payload }) => this.waits(payload.review_id));
    return onlyOne(given, waiting.length > 0 ? waiting : found, ({ payload }) => payload.review_id);
  }

  /** Why nobody can answer it any more; null: it waits. `now` is epoch ms. */
  refusal(review: ReviewFact, now: number): Failure | null {
    const { review_id, expires_at } = review.payload;
    const expired = (what: string) => new Failure('review_expired', `review ${review_id} ${what}`);
    const unknown = (what: string) => new Failure('review_unknown', `review ${review_id} ${what}`);
    if (this.waits(review_id)) {
      const late = expires_at > 0 && expires_at <= now;
      return late ? expired(`had to be answered until ${new Date(expires_at).toISOString()}`) : null;
    }
    const closed = this.#closed.get(review_id);
    if (closed?.event_type === 'review_completed') {
      const { decision, reviewer } = closed.payload;
      const when = new Date(closed.timestamp).toISOString();
      return unknown(`was answered already: ${decision} by ${reviewer} at ${when}`);
    }
    if (closed !== undefined) return expired('was answered by nobody in time');
    const { state } = this.fold;
    if (state !== null && missionHasEnded(state)) return unknown(`is of a mission that is ${state.status}`);
    return unknown('waits no more: its task has ended otherwise');
  }
}

/** Throws Failure `review_unknown` for none, `invalid_arguments` for several. */
export function onlyOne<T>(given: string, found: readonly T[], idOf: (each: T) => string): T {
  const [first, ...others] = found;
  if (first === undefined) {
    throw new Failure('review_unknown', `found no review ${given}; \`ravenhelm reviews\` lists what waits`);
  }
  if (others.length === 0) return first;
  const ids = found.slice(0, 5).map(idOf).join(', ');
  const message = `the review: found ${found.length} that begin with ${given} (${ids}), expected one`;
  throw new Failure('invalid_arguments', message);
}
