/** Records that others have compressed are read, whatever their codec: rpk's default is snappy. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompressionTypes } from '#chassis/kafkajs.ts';
import { readTopic } from '#chassis/reader.ts';
import { openNamespace } from './harness.ts';

const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const;

test('what a broker has compressed, in every codec', { timeout: 60_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  const { admin, publisher, kafka } = space.context;
  for (const codec of codecs) {
    const topic = `${space.prefix}.compressed-${codec}`;
    // The broker compresses what it is sent, as Java does it. The publisher waits for the topic's leader, which
    // kafkajs's own waiting takes for an error when it comes too early.
    const configEntries = [{ name: 'compression.type', value: codec }];
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }], waitForLeaders: false });
    const sent = [1, 100, 200_000].map((length) => Buffer.alloc(length, 'raven '));
    for (const value of sent) await publisher.send(topic, [{ key: 'k', value }]);
    const read: (Buffer | null)[] = [];
    await readTopic({
      kafka,
      topic,
      prefix: space.prefix,
      until: 'end',
      signal: AbortSignal.timeout(20_000),
      each: ({ message }) => void read.push(message.value),
    });
    assert.deepEqual(read, sent, codec);
  }
  await admin.deleteTopics({ topics: codecs.map((codec) => `${space.prefix}.compressed-${codec}`) });
});

test('what we compress, a broker accepts and we read again', { timeout: 60_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  const { kafka, topics } = space.context;
  const producer = kafka.producer();
  await producer.connect();
  const value = Buffer.alloc(100_000, 'raven ');
  for (const compression of [
    CompressionTypes.GZIP,
    CompressionTypes.Snappy,
    CompressionTypes.LZ4,
    CompressionTypes.ZSTD,
  ]) {
    await producer.send({ topic: topics.steps, compression, messages: [{ key: 'k', value }] });
  }
  await producer.disconnect();
  let read = 0;
  await readTopic({
    kafka,
    topic: topics.steps,
    prefix: space.prefix,
    until: 'end',
    signal: AbortSignal.timeout(20_000),
    each({ message }) {
      assert.ok(message.value?.equals(value));
      read += 1;
    },
  });
  assert.equal(read, 4);
});
