/** Where several producers write one partition, nothing of what was aborted is read, whichever of them ended first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Partitioners } from '#chassis/kafkajs.ts';
import { readTopic } from '#chassis/reader.ts';
import { openNamespace } from './harness.ts';

test('transactions that are aborted in another order than they began', { timeout: 60_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  const { kafka, topics } = space.context;
  const producers = ['first', 'second', 'third'].map((name) =>
    kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      transactionalId: `${space.prefix}.${name}`,
      idempotent: true,
      maxInFlightRequests: 1,
    }),
  );
  for (const producer of producers) await producer.connect();
  const open = [];
  for (const [index, producer] of producers.entries()) {
    const transaction = await producer.transaction();
    await transaction.send({ topic: topics.reports, messages: [{ key: 'k', value: `aborted ${index}` }] });
    open.push(transaction);
  }
  for (const [index, transaction] of open.entries()) {
    await transaction.send({
      topic: topics.reports,
      messages: [{ key: 'k', value: `aborted again ${index}` }],
    });
  }
  for (const transaction of open.toReversed()) await transaction.abort();
  for (const [index, producer] of producers.entries()) {
    const transaction = await producer.transaction();
    await transaction.send({ topic: topics.reports, messages: [{ key: 'k', value: `committed ${index}` }] });
    await transaction.commit();
    await producer.disconnect();
  }
  // From everywhere: a reader may come to a partition in the middle of a transaction.
  for (let from = 0; from < 6; from += 1) {
    const read: string[] = [];
    await readTopic({
      kafka,
      topic: topics.reports,
      prefix: space.prefix,
      from: new Map([[0, from]]),
      until: 'end',
      signal: AbortSignal.timeout(20_000),
      each: ({ message }) => void read.push(message.value?.toString() ?? ''),
    });
    assert.deepEqual(read, ['committed 0', 'committed 1', 'committed 2'], `from offset ${from}`);
  }
});
