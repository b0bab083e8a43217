import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { Partitioners } from './kafkajs.ts';
import { partitionOf } from './partitioner.ts';

const theirs = Partitioners.DefaultPartitioner();

it('finds the partition that the producer chooses, for every key', () => {
  const keys = fc.oneof(fc.string({ unit: 'grapheme' }), fc.uuid());
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 64 }), (key, partitions) => {
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionId,
        leader: 1,
        partitionErrorCode: 0,
        replicas: [],
        isr: [],
      }));
      const message = { key, value: null };
      assert.equal(partitionOf(key, partitions), theirs({ topic: 't', partitionMetadata, message }));
    }),
    { numRuns: 500 },
  );
});

it('agrees with the Java client', () => {
  // From Kafka's own UtilsTest: murmur2("21") is -973932308, murmur2("foobar") is -790332482.
  assert.equal(partitionOf('21', 1000), (-973932308 & 0x7fffffff) % 1000);
  assert.equal(partitionOf('foobar', 1000), (-790332482 & 0x7fffffff) % 1000);
});
