import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadLetter } from '#chassis/dead-letter.ts';
import { Failure } from '#chassis/failures.ts';
import { deadLetterRow } from './dead-letters-fold.ts';

const message = {
  key: null,
  value: Buffer.from([0, 0, 0, 0, 9, 1]),
  timestamp: '1790000000000',
  attributes: 0,
  offset: '41',
  headers: {},
};

test('a dead letter tells where it came from and why', () => {
  const { message: written } = deadLetter({
    ...{ topic: 'dlq', service: 'orchestrator', now: 1_790_000_005_000 },
    origin: { topic: 'p.missions', partition: 3, message },
    failure: new Failure('undecodable', 'found junk'),
  });
  const headers = written.headers ?? {};
  const received = { key: Buffer.from(written.key ?? ''), value: written.value, headers, timestamp: '0' };
  assert.deepEqual(deadLetterRow({ offset: 5, message: received }, 1), {
    ...{ partition: 1, offset: 5, key: null, topic: 'p.missions', topic_partition: 3, topic_offset: 41 },
    ...{ stage: 'orchestrator', code: 'undecodable', message: 'found junk', attempts: 1, redrives: 0 },
    ...{ schema_id: 9, size: 6, code_version: String(headers['ravenhelm.code_version']) },
    failed_at: new Date(1_790_000_005_000).toISOString(),
    produced_at: new Date(1_790_000_000_000).toISOString(),
  });
});

test('a record that somebody else put there has a row as well', () => {
  const headers = { '__connect.errors.partition': '-1', 'ravenhelm.failed_at': 'soon' };
  const row = deadLetterRow({ offset: 0, message: { ...message, headers, value: null } }, 0);
  assert.deepEqual(
    [row.topic, row.topic_partition, row.code, row.size, row.failed_at, row.attempts],
    ['', null, 'unknown', 0, null, 1],
  );
});
