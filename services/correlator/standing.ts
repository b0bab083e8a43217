import { Failure } from '#chassis/failures.ts';
import type { Codec } from '#schemas/codec.ts';
import type { StandingReaction } from '#schemas/types.gen.ts';
import type { Standing } from './decide.ts';

/** The standing definitions: the newest of each name. */
export class StandingReactions {
  private readonly byName = new Map<string, StandingReaction>();
  private inOrder: readonly StandingReaction[] = [];
  private current: Standing = nothing;
  /** From then on (epoch ms) all of them hold. */
  private since = 0;

  /** All of them by name, so that every correlator reacts in the same order. */
  get all(): readonly StandingReaction[] {
    return this.inOrder;
  }

  /**
   * What holds for a fact of this time (epoch ms): what came to hold later does not look back. Else a correlator that
   * begins on an old ledger would react to all of its history.
   */
  at(time: number): Standing {
    if (time >= this.since) return this.current;
    return standing(this.inOrder.filter(({ applied_at }) => applied_at <= time));
  }

  /** A record of the reactions topic; without a value, the definition is gone. */
  take(name: string, definition: StandingReaction | null): void {
    if (definition === null) this.byName.delete(name);
    else this.byName.set(name, definition);
    this.inOrder = [...this.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.current = standing(this.inOrder);
    this.since = Math.max(0, ...this.inOrder.map(({ applied_at }) => applied_at));
  }
}

const nothing: Standing = { subscriptions: [], aggregators: [] };

const standing = (definitions: readonly StandingReaction[]): Standing => ({
  subscriptions: definitions.flatMap(({ subscription }) => (subscription === null ? [] : [subscription])),
  aggregators: definitions.flatMap(({ aggregator }) => (aggregator === null ? [] : [aggregator])),
});

/** Throws Failure `unexpected_type`, `undecodable` or `schema_unknown`. */
export function decodeStanding(codec: Codec, value: Buffer): StandingReaction {
  const decoded = codec.decode(value);
  if (decoded.name === 'StandingReaction') return decoded.value;
  throw new Failure('unexpected_type', `found ${decoded.name}, expected StandingReaction`);
}
