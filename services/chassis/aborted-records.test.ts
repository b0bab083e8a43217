import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AbortedTransaction, type FetchedRecord, hideAborted } from './aborted-records.ts';

interface Step {
  readonly producer: number;
  readonly does: 'write' | 'commit' | 'abort' | 'writeOutside';
}

/** A partition as the broker keeps it: what is in it, its index of aborted transactions, and what readers must see. */
function play(steps: readonly Step[]) {
  const log: { readonly producer: number; readonly kind: 'record' | 'outside' | 'commit' | 'abort' }[] = [];
  const open = new Map<number, number[]>();
  const aborted: { readonly producer: number; readonly first: number; readonly marker: number }[] = [];
  const committed = new Set<number>();
  const end = (producer: number, kind: 'commit' | 'abort'): void => {
    const offsets = open.get(producer);
    if (offsets?.[0] === undefined) return;
    if (kind === 'abort') aborted.push({ producer, first: offsets[0], marker: log.length });
    else for (const offset of offsets) committed.add(offset);
    open.delete(producer);
    log.push({ producer, kind });
  };
  for (const { producer, does } of steps) {
    if (does === 'writeOutside') {
      // A producer without transactions has an id of its own.
      committed.add(log.length);
      log.push({ producer: producer + 100, kind: 'outside' });
    } else if (does === 'write') {
      open.set(producer, [...(open.get(producer) ?? []), log.length]);
      log.push({ producer, kind: 'record' });
    } else {
      end(producer, does);
    }
  }
  for (const producer of open.keys()) end(producer, 'abort');
  return { log, aborted, committed };
}

/** What a broker answers to a reader at `from`, of `count` entries. */
function fetchOf({ log, aborted }: ReturnType<typeof play>, from: number, count: number) {
  const messages = log.slice(from, from + count).map(
    ({ producer, kind }, index): FetchedRecord => ({
      offset: String(from + index),
      key:
        kind === 'abort' ? Buffer.from([0, 0, 0, 0]) : kind === 'commit' ? Buffer.from([0, 0, 0, 1]) : null,
      isControlRecord: kind === 'abort' || kind === 'commit',
      batchContext: { producerId: String(producer), inTransaction: kind !== 'outside' },
    }),
  );
  const abortedTransactions = aborted
    .filter(({ first, marker }) => marker >= from && first < from + count)
    .map(
      ({ producer, first }): AbortedTransaction => ({
        producerId: String(producer),
        firstOffset: String(first),
      }),
    );
  return { abortedTransactions, messages };
}

const shown = (partition: { readonly messages: readonly FetchedRecord[] }): number[] =>
  partition.messages.filter(({ isControlRecord }) => !isControlRecord).map(({ offset }) => Number(offset));

const steps = fc.array(
  fc.record({
    producer: fc.integer({ min: 1, max: 4 }),
    does: fc.constantFrom<Step['does']>('write', 'write', 'write', 'commit', 'abort', 'writeOutside'),
  }),
  { maxLength: 60 },
);

test('whatever transactions do beside each other, a reader sees what was committed, wherever it begins', () => {
  fc.assert(
    fc.property(steps, fc.nat(60), fc.integer({ min: 1, max: 60 }), (played, from, count) => {
      const partition = play(played);
      const visible = [...partition.committed].filter((offset) => offset >= from && offset < from + count);
      const answer = hideAborted(fetchOf(partition, from, count));
      assert.deepEqual(
        shown(answer),
        visible.sort((one, other) => one - other),
      );
      // kafkajs would look through them once more, in its way.
      assert.equal(answer.abortedTransactions.length, 0);
    }),
    { numRuns: 1000 },
  );
});

test('the one that began first is aborted last', () => {
  const partition = play([
    { producer: 1, does: 'write' },
    { producer: 2, does: 'write' },
    { producer: 2, does: 'abort' },
    { producer: 1, does: 'write' },
    { producer: 1, does: 'abort' },
    { producer: 1, does: 'write' },
    { producer: 1, does: 'commit' },
  ]);
  assert.deepEqual(shown(hideAborted(fetchOf(partition, 0, 100))), [5]);
});

test('a record whose key looks like a mark of an abort ends nothing', () => {
  const answer = fetchOf(
    play([
      { producer: 1, does: 'write' },
      { producer: 1, does: 'write' },
      { producer: 1, does: 'abort' },
    ]),
    0,
    100,
  );
  const messages = answer.messages.map((record, index) =>
    index === 0 ? { ...record, key: Buffer.alloc(4) } : record,
  );
  assert.deepEqual(shown(hideAborted({ ...answer, messages })), []);
});
