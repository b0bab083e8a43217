import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type OutgoingRecord, outgoing } from './outbox.ts';
import { splitSends } from './sends.ts';

const record = fc
  .record({
    topic: fc.constantFrom('a', 'b'),
    partition: fc.constantFrom(0, 1),
    size: fc.integer({ min: 0, max: 200_000 }),
  })
  .map(({ topic, partition, size }) => outgoing(topic, { key: 'k', value: Buffer.alloc(size), partition }));

const placeOf = (topic: string, partition: number | undefined) => `${topic}/${partition}`;

test('all records are sent once, in order within a partition, in sends that client and broker take', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), (records) => {
      const sends = splitSends(records);
      const sent = new Map<string, unknown[]>();
      for (const send of sends) {
        const bytes = new Map<string, number>();
        for (const { topic, messages } of send) {
          for (const message of messages) {
            const place = placeOf(topic, message.partition);
            sent.set(place, [...(sent.get(place) ?? []), message]);
            bytes.set(place, (bytes.get(place) ?? 0) + (message.value?.length ?? 0));
          }
        }
        for (const total of bytes.values()) assert.ok(total < 1_000_000, `${total} bytes in one send`);
      }
      for (const place of new Set(records.map(({ topic, partition }) => placeOf(topic, partition)))) {
        const wanted = records.filter((each) => placeOf(each.topic, each.partition) === place);
        assert.deepEqual(
          sent.get(place),
          wanted.map(({ message }) => message),
        );
      }
    }),
    { numRuns: 40 },
  );
});

test('many small records for one partition go in one send', () => {
  const records: OutgoingRecord[] = Array.from({ length: 4000 }, (_, i) =>
    outgoing('a', { key: String(i), value: Buffer.from('x'), partition: 0 }),
  );
  assert.deepEqual(
    splitSends(records).map((send) => send[0]?.messages.length),
    [4000],
  );
});
