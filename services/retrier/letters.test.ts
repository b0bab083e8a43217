import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeHeaders } from '#chassis/letter-headers.ts';
import { openLog } from '#chassis/log.ts';
import { Transaction } from '#chassis/transaction.ts';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { topicNames } from '#topics/table.ts';
import { Letter } from './letter.ts';
import { Letters } from './letters.ts';

const topics = topicNames('letters');
const codec = createCodec(numberedIds());

const letter = (offset: number): Letter => ({
  ...{ partition: 0, offset, state: 'waiting', topic: topics.missions, mission: 'm', code: 'undecodable' },
  ...{ redrives: 0, hash: 'h', recorded_at: 1, told: false, order: null },
});

/** A record of the missions topic that was put aside: so many bytes. */
const putAside = (bytes: number) => ({
  key: Buffer.from('m'),
  value: Buffer.alloc(bytes),
  headers: writeHeaders({ topic: topics.missions, partition: '0', offset: '3', key: 'bQ==' }),
  timestamp: '0',
  attributes: 0,
  offset: '0',
});

/** One partition of the retrier, to which all bytes are known. */
const opened = (bytes = 10) =>
  new Letters({
    ...{ partition: 0, topics, codec, mostRedrives: 3, sizeOf: () => 1, log: openLog('letters', 'silent') },
    bytes: { get: () => putAside(bytes), want: () => {}, sent: () => {}, forget: () => {} },
  });

function restored(letters: Letters, kept: Iterable<Letter>): Letters {
  for (const each of kept) letters.restore(`letter/${each.offset}`, Buffer.from(JSON.stringify(each)));
  letters.restored();
  return letters;
}

test('a partition with more than 130,000 letters is restored', () => {
  const letters = opened();
  const kept = JSON.stringify(letter(0));
  const [before = '', after = ''] = kept.split('"offset":0');
  for (let offset = 0; offset < 140_000; offset++)
    letters.restore(`letter/${offset}`, Buffer.from(`${before}"offset":${offset}${after}`));
  letters.restored();
});

test('what has waited and is too large for its topic is refused, and stops nothing behind it', () => {
  const letters = opened();
  const out = new Transaction();
  const waiting = { topic: topics.retry('1s'), partition: 0, offset: 0 };
  assert.throws(() => letters.handleRaw({ ...waiting, message: putAside(1_048_000) }, 1, out), {
    code: 'record_too_large',
  });
  letters.handleRaw({ ...waiting, message: putAside(1_000_000) }, 1, out);
  assert.deepEqual(
    out.records.map(({ topic }) => topic),
    [topics.missions],
  );
});

test('a letter that is too large to be sent again waits for a person, and the next one goes', () => {
  const queued = (offset: number): Letter => ({
    ...letter(offset),
    state: 'queued',
    order: { request: 'r', by: 'p', reason: '', rate: 0, number: offset + 1 },
  });
  const letters = restored(opened(1_048_000), [queued(0)]);
  const out = new Transaction();
  letters.alarm(1, out);
  const [event] = out.records.map(({ message }) => codec.decode(message.value ?? Buffer.alloc(0)).value);
  assert.deepEqual(
    out.records.map(({ topic }) => topic),
    [topics.dlqEvents],
  );
  assert.ok(event !== undefined && 'event_type' in event && event.event_type === 'dead_letter_refused');
  const [[, value] = []] = [...letters.changes()];
  const kept = Letter.parse(JSON.parse(String(value)));
  assert.equal(kept.state, 'waiting');
});
