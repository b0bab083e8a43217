import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import type { FollowedBatch } from '#chassis/follower.ts';
import { writeHeaders } from '#chassis/letter-headers.ts';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { topicNames } from '#topics/table.ts';
import { type Client, type Database, translated } from './database.ts';
import { Projection } from './projection.ts';

const topics = topicNames('projection');

/** A database that keeps one offset, and fails where a row for another table than that of errors says `poison`. */
function database(fails: () => unknown) {
  const kept = { next: 0, transactions: 0, errors: [] as string[] };
  const place = () => ({ topic: topics.dlq, next: kept.next, table: 1 });
  const fake: Database = {
    query: <Row extends object>(sql: string) =>
      Promise.resolve((sql.includes('select topic, next_offset') ? [place()] : []) as Row[]),
    async transaction(work) {
      kept.transactions += 1;
      const written = { next: kept.next, errors: [] as string[] };
      const query = (sql: string, values: readonly unknown[] = []) => {
        const text = JSON.stringify(values);
        if (sql.includes('for update')) return Promise.resolve({ rows: [place()] });
        if (/^update .*projector_offsets/.test(sql)) written.next = Number(values[2]);
        else if (sql.includes('projection_errors')) written.errors.push(text);
        else if (text.includes('poison')) return Promise.reject(fails());
        return Promise.resolve({ rows: [] });
      };
      try {
        const result = await work({ query } as unknown as Client);
        kept.next = written.next;
        kept.errors.push(...written.errors);
        return result;
      } catch (error) {
        throw translated(error);
      }
    },
    close: () => Promise.resolve(),
  };
  return { kept, fake };
}

function batch(): FollowedBatch {
  const records = Array.from({ length: 8 }, (_, offset) => ({
    offset,
    message: {
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      timestamp: '1',
      headers: writeHeaders({ topic: 't', code: 'undecodable', message: offset === 5 ? 'poison' : 'fine' }),
    },
  }));
  return { topic: topics.dlq, partition: 0, records, next: 8, end: 8 };
}

function projecting(fails: () => unknown) {
  const { kept, fake } = database(fails);
  const codec = createCodec(numberedIds());
  const projection = new Projection({ database: fake, url: '', schema: 's', topics, codec });
  return { kept, handle: () => projection.handle(batch()) };
}

const sqlState = (code: string) => {
  const error = new pg.DatabaseError('no', 2, 'error');
  error.code = code;
  return error;
};

const wrong: readonly (readonly [string, () => unknown, number])[] = [
  ['PostgreSQL refuses', () => sqlState('22021'), 0],
  ['we cannot fold', () => new TypeError('x is not a function'), 0],
  ['makes PostgreSQL fail every time', () => sqlState('XX000'), 2],
  ['takes PostgreSQL too long every time', () => sqlState('57014'), 2],
];
for (const [what, fails, outages] of wrong) {
  test(`a record that ${what} is written down and passed over, and those around it become rows`, async () => {
    const { kept, handle } = projecting(fails);
    // It finds out where it stands.
    assert.equal(await handle(), 0);
    for (let i = 0; i < outages; i++) await assert.rejects(handle(), { code: 'database_unavailable' });
    let tries = 0;
    while (kept.next < 8 && tries++ < 10) await handle().catch(() => undefined);
    assert.equal(kept.next, 8);
    assert.equal(kept.errors.length, 1);
    assert.match(kept.errors[0] ?? '', /5/);
  });
}

test('an outage of PostgreSQL passes no record over, however long', async () => {
  const { kept, handle } = projecting(() => sqlState('57P01'));
  await handle();
  for (let i = 0; i < 20; i++) await assert.rejects(handle(), { code: 'database_unavailable' });
  assert.equal(kept.next, 0);
  assert.deepEqual(kept.errors, []);
});
