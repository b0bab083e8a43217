import { Failure } from '#chassis/failures.ts';
import type { Codec } from '#schemas/codec.ts';
import type { StandingReaction } from '#schemas/types.gen.ts';
import type { Standing } from './decide.ts';

/** The standing definitions: the newest of each name, by name. */
export class StandingReactions {
  private readonly byName = new Map<string, StandingReaction>();
  private now: Standing = { subscriptions: [], aggregators: [] };

  /** In the order of their names, so that every correlator reacts in the same order. */
  get current(): Standing {
    return this.now;
  }

  /** All of them, as they were applied. */
  get all(): readonly StandingReaction[] {
    return [...this.byName.values()];
  }

  /** A record of the reactions topic; without a value, the definition is gone. */
  take(name: string, definition: StandingReaction | null): void {
    if (definition === null) this.byName.delete(name);
    else this.byName.set(name, definition);
    const inOrder = [...this.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.now = {
      subscriptions: inOrder.flatMap(({ subscription }) => (subscription === null ? [] : [subscription])),
      aggregators: inOrder.flatMap(({ aggregator }) => (aggregator === null ? [] : [aggregator])),
    };
  }
}

/** Throws Failure `unexpected_type`, `undecodable` or `schema_unknown`. */
export function decodeStanding(codec: Codec, value: Buffer): StandingReaction {
  const decoded = codec.decode(value);
  if (decoded.name === 'StandingReaction') return decoded.value;
  throw new Failure('unexpected_type', `found ${decoded.name}, expected StandingReaction`);
}
