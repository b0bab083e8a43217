/** Compaction leaves batches without records; one at the end of a segment must not hold a reader up for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { Partitioners } from '#chassis/kafkajs.ts';
import { readTopic } from '#chassis/reader.ts';
import { openNamespace } from './harness.ts';

const hour = 3_600_000;

test('what was aborted at the end of a segment and compacted away is passed', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  const { admin, kafka } = space.context;
  const topic = `${space.prefix}.compacted`;
  const config = {
    'cleanup.policy': 'compact',
    'segment.ms': String(hour),
    'min.cleanable.dirty.ratio': '0',
  };
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }], waitForLeaders: false });
  space.beforeClose(() => admin.deleteTopics({ topics: [topic] }));

  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    transactionalId: `${space.prefix}.writer`,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  // By its time stamp it is old: the mark of the abort begins the next segment, and nothing comes behind it in this one.
  const aborted = await producer.transaction();
  const timestamp = String(Date.now() - 2 * hour);
  await aborted.send({ topic, messages: [{ key: 'gone', value: 'gone', timestamp }] });
  await aborted.abort();
  const committed = await producer.transaction();
  await committed.send({ topic, messages: [{ key: 'kept', value: 'kept' }] });
  await committed.commit();
  await producer.disconnect();

  while ((await shownUncommitted(kafka, topic, space.prefix)).includes('gone')) {
    await sleep(500, undefined, { signal: t.signal });
  }
  const read: string[] = [];
  await readTopic({
    kafka,
    topic,
    prefix: space.prefix,
    until: 'end',
    signal: AbortSignal.timeout(20_000),
    each: ({ message }) => void read.push(String(message.key)),
  });
  assert.deepEqual(read, ['kept']);
});

/** Keys of all records that are still there, aborted ones too. */
async function shownUncommitted(kafka: Kafka, topic: string, prefix: string): Promise<readonly string[]> {
  const consumer = kafka.consumer({
    groupId: `${prefix}.uncommitted`,
    readUncommitted: true,
    maxWaitTimeInMs: 100,
  });
  const seen: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = setTimeout(() => reject(new Error('found no end of the topic in 20 s')), 20_000);
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ message }) => {
        seen.push(String(message.key));
        if (seen.at(-1) === 'kept') resolve();
      },
    });
    await promise;
    return seen;
  } finally {
    clearTimeout(late);
    await consumer.disconnect();
  }
}
