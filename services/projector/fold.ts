import { asFailure, Failure } from '#chassis/failures.ts';
import type { FollowedRecord } from '#chassis/follower.ts';
import type { Codec, Decoded } from '#schemas/codec.ts';
import { type Changes, keyOf } from './changes.ts';
import type { Client } from './database.ts';

export interface FoldedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly FollowedRecord[];
}

/** Makes rows of the records of one topic. */
export interface Fold {
  /**
   * Puts into `changes` what the records say, reading through `client` what it has to know. What it remembers beyond
   * that counts only once `committed` is called.
   */
  fold(client: Client, batch: FoldedBatch, changes: Changes): Promise<{ committed(): void }>;
  /** Nothing is believed of this partition any more: it was folded elsewhere, or a commit failed. */
  forget(partition: number): void;
}

export const nothingToRemember = { committed: () => {} };

/** A record that cannot be folded: it is written down, and passed over. */
export function putError(changes: Changes, batch: FoldedBatch, offset: number, error: unknown): void {
  const { topic, partition } = batch;
  const { code, message } = asFailure(error, 'handler_failed');
  const row = { topic, partition, offset, code, message: message.slice(0, 2000) };
  changes.put('projection_errors', keyOf(topic, partition, offset), row);
}

/** Throws Failure `undecodable` and others of the codec's. */
export function decoded(codec: Codec, { message }: FollowedRecord): { value: Decoded; bytes: Buffer } {
  if (message.value === null) {
    throw new Failure('undecodable', 'found a record without a value, expected an event');
  }
  return { value: codec.decode(message.value), bytes: message.value };
}

const loadMs = 10_000;

/** Asks the registry for the schemas that the records need. Throws Failure `registry_unavailable`. */
export async function loadSchemas(codec: Codec, records: readonly FollowedRecord[]): Promise<void> {
  for (const { message } of records) {
    if (message.value !== null && !codec.knows(message.value)) {
      await codec.load(message.value, AbortSignal.timeout(loadMs));
    }
  }
}
