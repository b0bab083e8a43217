/** What the fault campaign is judged by reads as Kafka's readers do: all that was committed, in order, and nothing else. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { Kafka, Transaction } from 'kafkajs';
import { Partitioners } from '#chassis/kafkajs.ts';
import { findJdk, Reader } from './faults/checker/reader.ts';
import { openNamespace } from './harness.ts';

const jdk = await findJdk(AbortSignal.timeout(30_000));
const options = { timeout: 300_000, skip: jdk.found ? false : `no JDK: ${jdk.why}` };

interface Read {
  readonly partition: number;
  readonly offset: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A reader of one topic of two partitions, and transactions into it, each of a producer of its own. */
async function openReading(t: TestContext, held: Promise<void> = Promise.resolve()) {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 2 });
  const { kafka, topics } = space.context;
  const topic = topics.reports;
  const all: Read[] = [];
  const gaps: string[] = [];
  const reader = new Reader({
    brokers: process.env['KAFKA_BROKERS'] ?? '',
    topics: [topic],
    take: async ({ partition, offset, value, headers }) => {
      await held;
      all.push({ partition, offset, text: value?.toString() ?? 'null', headers });
    },
    gap: (place) => void gaps.push(place),
  });
  space.beforeClose(() => reader.close());
  await reader.start(t.signal);
  const texts = () => all.map(({ text }) => text);
  return { space, topic, reader, all, texts, gaps, begin: () => begin(kafka, space.beforeClose) };
}

async function begin(kafka: Kafka, atEnd: (run: () => Promise<void>) => void): Promise<Transaction> {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    transactionalId: `reading.${randomBytes(4).toString('hex')}`,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  atEnd(() => producer.disconnect());
  return producer.transaction();
}

const deadline = 60_000;

test(
  'committed transactions are read, aborted ones are not, and a control record may be the end',
  options,
  async (t) => {
    const { topic, reader, all, texts, begin } = await openReading(t);
    const send = (transaction: Transaction, value: string) =>
      transaction.send({ topic, messages: [{ key: 'k', value, partition: 0 }] });
    // Three transactions that are open at once, and end in another order than they began.
    const [one, two, three] = [await begin(), await begin(), await begin()];
    await send(one, 'one, aborted');
    await send(two, 'two, first');
    await send(three, 'three, aborted');
    await send(one, 'one, aborted again');
    await send(two, 'two, second');
    await three.abort();
    await two.commit();
    await one.abort();
    await reader.readToEnd(deadline, t.signal);
    assert.deepEqual(texts(), ['two, first', 'two, second']);
    // What was aborted, and the markers, have left holes.
    assert.deepEqual(
      all.map(({ offset }) => offset),
      [1, 4],
    );
    // The end of the log is a marker again, and then an aborted transaction with its own.
    const four = await begin();
    await send(four, 'four');
    await four.commit();
    await reader.readToEnd(deadline, t.signal);
    assert.equal(texts().at(-1), 'four');
    const five = await begin();
    await send(five, 'five, aborted');
    await five.abort();
    await reader.readToEnd(deadline, t.signal);
    assert.equal(texts().length, 3);
  },
);

test('the end is not reached before what is open there has ended', options, async (t) => {
  const { topic, reader, texts, begin, space } = await openReading(t);
  const open = await begin();
  await open.send({ topic, messages: [{ key: 'k', value: 'open', partition: 1 }] });
  await space.context.publisher.send(topic, [{ key: 'k', value: Buffer.from('behind'), partition: 1 }]);
  await assert.rejects(reader.readToEnd(2000, t.signal), { code: 'deadline_exceeded' });
  assert.deepEqual(texts(), []);
  await open.commit();
  await reader.readToEnd(deadline, t.signal);
  assert.deepEqual(texts(), ['open', 'behind']);
});

test(
  'values and headers are read as they were written, and what was there before it began',
  options,
  async (t) => {
    const { topic, reader, all, space, gaps } = await openReading(t);
    const value = 'tabs\t, line ends\r\n, nothing \u0000 and Prüfung';
    const headers = { 'ravenhelm.origin': '0/17', 'odd:,\t': 'a:b,c' };
    await space.context.publisher.send(topic, [
      { key: 'k', value: Buffer.from(value), headers, partition: 0 },
    ]);
    await space.context.publisher.send(topic, [{ key: 'k', value: null, partition: 0 }]);
    await reader.readToEnd(deadline, t.signal);
    const late: string[] = [];
    const other = new Reader({
      brokers: process.env['KAFKA_BROKERS'] ?? '',
      topics: [topic],
      take: async (seen) => void late.push(seen.value?.toString() ?? 'null'),
      gap: () => undefined,
    });
    space.beforeClose(() => other.close());
    await other.start(t.signal);
    await other.readToEnd(deadline, t.signal);
    assert.deepEqual(late, [value, 'null']);
    assert.deepEqual(
      all.map(({ text }) => text),
      late,
    );
    assert.deepEqual(all[0]?.headers, headers);
    assert.deepEqual(gaps, []);
  },
);

test(
  'records that are deleted before they are read are a gap, and reading goes on behind it',
  options,
  async (t) => {
    const held = Promise.withResolvers<void>();
    const { topic, reader, texts, gaps, space } = await openReading(t, held.promise);
    const send = (...values: readonly string[]) =>
      space.context.publisher.send(
        topic,
        values.map((value) => ({ key: 'k', value: Buffer.from(value), partition: 0 })),
      );
    // More than is buffered between the broker and here, where the first record is held up.
    for (let n = 0; n < 60; n++)
      await send(...Array.from({ length: 100 }, (_, i) => `${n}/${i}`.padEnd(8000)));
    await space.context.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] });
    await send('behind');
    held.resolve();
    await reader.readToEnd(deadline, t.signal);
    assert.equal(texts()[0]?.trim(), '0/0');
    assert.equal(texts().at(-1), 'behind');
    assert.ok(texts().length < 6001, `${texts().length} were read`);
    assert.deepEqual(gaps, [`${topic}/0`]);
  },
);
