import { type ChainTail, type Codec, chainLink, emptyChain, hashChain } from '#schemas/codec.ts';
import type { Priority } from '#schemas/types.gen.ts';
import type { FactDraft, FactEvent } from './facts.ts';

/** The end of a mission's chain: the number and the body hash of its newest fact. */
export type Tail = ChainTail;

/** The tail of a mission that has no fact yet. */
export const noTail: Tail = emptyChain;

export interface SealedFact {
  readonly event: FactEvent;
  /** As on the wire, header included. */
  readonly bytes: Buffer;
}

export interface Seal {
  readonly mission_id: string;
  readonly priority: Priority;
  /** The event_id of the input that all these facts follow from. */
  readonly causation_id: string;
  /** The time given to `decide`; epoch ms. */
  readonly now: number;
  readonly tail: Tail;
  readonly codec: Codec;
}

/** Numbers, chains and encodes facts: each is encoded once and hashed once. */
export function seal(
  drafts: readonly FactDraft[],
  { mission_id, priority, causation_id, now, tail, codec }: Seal,
): { readonly events: SealedFact[]; readonly tail: Tail } {
  let end = tail;
  const events = drafts.map((draft) => {
    const { sequence, previous_hash } = chainLink(end);
    // The compiler does not see that the type and the payload of one draft belong together.
    const event = {
      event_id: `${mission_id}:${sequence}`,
      event_type: draft.event_type,
      source_agent: draft.source_agent,
      target_agent: draft.target_agent,
      timestamp: now,
      version: 1,
      correlation_id: mission_id,
      causation_id,
      priority,
      sequence,
      previous_hash,
      payload: draft.payload,
    } as FactEvent;
    const bytes = codec.encode(event);
    end = hashChain(end, bytes);
    return { event, bytes };
  });
  return { events, tail: end };
}
