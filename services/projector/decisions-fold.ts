import type { FollowedRecord } from '#chassis/follower.ts';
import { readLetterId } from '#retrier/letter.ts';
import { isLetterEvent } from '#retrier/letter-events.ts';
import { decisionOf } from '#retrier/letter-fold.ts';
import type { Codec } from '#schemas/codec.ts';
import { type Changes, keyOf } from './changes.ts';
import type { Client } from './database.ts';
import { decoded, type Fold, type FoldedBatch, nothingToRemember, putError } from './fold.ts';
import { instant } from './rows.ts';

/** One row for each event about a dead letter. Throws the codec's Failures. */
export function decisionRow(codec: Codec, record: FollowedRecord, partition: number): object | null {
  const { value } = decoded(codec, record).value;
  if (!isLetterEvent(value)) return null;
  const letter = readLetterId(value.payload.dead_letter_id);
  if (letter === null) return null;
  const { what, by, reason, detail, request, at } = decisionOf(value);
  return {
    ...{ partition, offset: record.offset, decision: what, decided_by: by, reason, detail, request },
    letter_partition: letter.partition,
    letter_offset: letter.offset,
    decided_at: instant(at),
  };
}

/** What was decided about dead letters: with the letters themselves, what state each is in. */
export class DecisionsFold implements Fold {
  private readonly codec: Codec;

  constructor(codec: Codec) {
    this.codec = codec;
  }

  forget(): void {}

  async fold(_client: Client, batch: FoldedBatch, changes: Changes): Promise<{ committed(): void }> {
    for (const record of batch.records) {
      try {
        const row = decisionRow(this.codec, record, batch.partition);
        if (row !== null) changes.put('dead_letter_decisions', keyOf(batch.partition, record.offset), row);
      } catch (error) {
        putError(changes, batch, record.offset, error);
      }
    }
    return nothingToRemember;
  }
}
