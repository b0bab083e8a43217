import type { FollowedMessage, FollowedRecord } from '#chassis/follower.ts';
import { type Changes, keyOf } from './changes.ts';
import type { Client } from './database.ts';
import { type Fold, type FoldedBatch, nothingToRemember } from './fold.ts';
import { instant } from './rows.ts';

export interface DeadLetterRow {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly topic: string;
  readonly topic_partition: number | null;
  readonly topic_offset: number | null;
  readonly stage: string;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  readonly redrives: number;
  readonly schema_id: number | null;
  readonly size: number;
  readonly code_version: string;
  readonly failed_at: string | null;
  readonly produced_at: string | null;
}

const longestKey = 1000;

/** What the headers of a dead letter tell; of one that somebody else wrote, what there is. */
export function deadLetterRow({ offset, message }: FollowedRecord, partition: number): DeadLetterRow {
  const header = (name: string) => headerText(message.headers, name);
  const error = (name: string) => header(`__connect.errors.${name}`);
  return {
    partition,
    offset,
    key: originalKey(message, header('ravenhelm.key'), header('ravenhelm.code')),
    topic: error('topic') ?? '',
    topic_partition: count(error('partition')),
    topic_offset: count(error('offset')),
    stage: error('stage') ?? '',
    code: header('ravenhelm.code') ?? error('exception.class.name') ?? 'unknown',
    message: error('exception.message') ?? '',
    attempts: count(header('ravenhelm.attempts')) ?? 1,
    redrives: count(header('ravenhelm.redrives')) ?? 0,
    schema_id: count(header('ravenhelm.schema_id')),
    size: message.value?.length ?? 0,
    code_version: header('ravenhelm.code_version') ?? '',
    failed_at: time(header('ravenhelm.failed_at')),
    produced_at: time(header('ravenhelm.produced_at')),
  };
}

/** The key of the record that became this letter: ours says it in a header, as the letter's own may be made up. */
function originalKey(message: FollowedMessage, inHeader: string | null, code: string | null): string | null {
  if (inHeader !== null) return Buffer.from(inHeader, 'base64').toString().slice(0, longestKey);
  return code === null && message.key !== null ? message.key.toString().slice(0, longestKey) : null;
}

function headerText(headers: FollowedMessage['headers'], name: string): string | null {
  const found = headers?.[name];
  const first = Array.isArray(found) ? found[0] : found;
  return first === undefined ? null : first.toString();
}

/** Anybody may write headers: what is no number says nothing. */
function count(text: string | null): number | null {
  return text !== null && /^\d{1,9}$|^[1-9]\d{1,14}$/.test(text) ? Number(text) : null;
}

function time(text: string | null): string | null {
  const ms = text === null ? Number.NaN : Date.parse(text);
  return instant(ms);
}

/** One row for each dead letter; its bytes stay on the topic. */
export class DeadLettersFold implements Fold {
  forget(): void {}

  async fold(_client: Client, batch: FoldedBatch, changes: Changes): Promise<{ committed(): void }> {
    for (const record of batch.records) {
      const row = deadLetterRow(record, batch.partition);
      changes.put('dead_letters', keyOf(row.partition, row.offset), row);
    }
    return nothingToRemember;
  }
}
