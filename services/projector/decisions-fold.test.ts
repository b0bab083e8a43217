import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FollowedRecord } from '#chassis/follower.ts';
import { letterEvent } from '#retrier/letter-events.ts';
import { rehearsalCodec } from '#worker/rehearsal.ts';
import { Changes } from './changes.ts';
import type { Client } from './database.ts';
import { DecisionsFold, decisionRow } from './decisions-fold.ts';
import type { FoldedBatch } from './fold.ts';

const codec = rehearsalCodec();
/** Nothing here asks it. */
const noClient = {} as Client;
const record = (offset: number, value: Buffer | null) =>
  ({ offset, message: { value } }) as unknown as FollowedRecord;
const archived = (dead_letter_id: string) =>
  codec.encode(
    letterEvent(
      {
        event_type: 'dead_letter_archived',
        payload: { dead_letter_id, archived_by: 'ada', reason: 'hopeless' },
      },
      { cause: 'request-1', mission: 'm', now: 86_400_000 },
    ),
  );

test('what was decided about a letter is a row that names the letter, who, why and when', () => {
  assert.deepEqual(decisionRow(codec, record(12, archived('1-7')), 2), {
    ...{ partition: 2, offset: 12, letter_partition: 1, letter_offset: 7, decision: 'archived' },
    ...{ decided_by: 'ada', reason: 'hopeless', detail: '', request: 'request-1' },
    decided_at: '1970-01-02T00:00:00.000Z',
  });
});

test('what is about no letter is no row', () => {
  assert.equal(decisionRow(codec, record(12, archived('no id')), 2), null);
});

test('a record that says nothing is an error of its own, and the next one counts', async () => {
  const changes = new Changes();
  const records = [record(12, null), record(13, archived('1-7'))];
  const batch = { topic: 'dlq.events', partition: 2, records } as unknown as FoldedBatch;
  await new DecisionsFold(codec).fold(noClient, batch, changes);
  const written = await changes.write(noClient, 'schema', () => Promise.resolve());
  assert.deepEqual(
    written,
    new Map([
      ['projection_errors', 1],
      ['dead_letter_decisions', 1],
    ]),
  );
});
