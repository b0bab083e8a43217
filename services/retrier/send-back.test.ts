import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadLetter } from '#chassis/dead-letter.ts';
import { Failure } from '#chassis/failures.ts';
import { afterWaiting, redriven } from './send-back.ts';

const message = {
  ...{ key: Buffer.from('m-1/a'), value: Buffer.from([1]), timestamp: '1790000000000', attributes: 0 },
  ...{ offset: '41', headers: { traceparent: 't', 'ravenhelm.attempts': '2' } },
};
const put = (place: number | null, from = message, at = 3) => {
  const { message: written } = deadLetter({
    ...{ topic: 'retry', service: 's', now: 0, attempts: 3, failure: new Failure('handler_failed', 'no') },
    origin: { topic: 'p.missions', partition: at, message: from },
    waits: { dueAt: 1000, place },
  });
  const key = written.key === null ? null : Buffer.from(written.key);
  return { ...message, key, value: written.value, headers: written.headers ?? {} };
};

test('what has waited goes back to its partition, with its trace, its count and its number', () => {
  const { topic, record } = afterWaiting(put(5), 4);
  assert.equal(topic, 'p.missions');
  assert.deepEqual([record.partition, String(record.key), record.value], [3, 'm-1/a', message.value]);
  assert.deepEqual(record.headers, {
    traceparent: 't',
    'ravenhelm.attempts': '3',
    'ravenhelm.redrives': '0',
    'ravenhelm.place': '5',
    'ravenhelm.produced_at': new Date(1_790_000_000_000).toISOString(),
    'ravenhelm.origin': '3/41',
  });
});

test('failing again it still tells of the first time', () => {
  const { record } = afterWaiting(put(null), 4);
  const again = put(null, { ...message, offset: '99', headers: record.headers as typeof message.headers });
  assert.equal(again.headers['__connect.errors.offset'], '41');
  assert.equal(again.headers['ravenhelm.produced_at'], new Date(1_790_000_000_000).toISOString());
});

test('a letter begins anew, and knows how often it has', () => {
  const { record } = redriven(put(5), message.value, 4);
  assert.deepEqual(Object.keys(record.headers ?? {}).toSorted(), [
    ...['ravenhelm.produced_at', 'ravenhelm.redrives', 'traceparent'],
  ]);
  assert.equal(record.headers?.['ravenhelm.redrives'], '1');
});

test('a partition that is no more is left to the key, and a key that is no text is not sent', () => {
  assert.equal(afterWaiting(put(null), 2).record.partition, undefined);
  assert.equal(
    afterWaiting(put(null, { ...message, key: Buffer.alloc(4) }), 4).record.key?.toString(),
    'p.missions/3/41',
  );
});
