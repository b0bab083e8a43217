import { randomUUID } from 'node:crypto';
import type { Kafka, KafkaMessage } from 'kafkajs';
import { copartitioned } from './assigner.ts';
import { asFailure, Failure } from './failures.ts';
import { topicOffsets } from './topic-offsets.ts';

export interface ReadRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly message: KafkaMessage;
}

export interface ReadSettings {
  readonly kafka: Kafka;
  readonly topic: string;
  /** Names the throwaway group, so that people see who reads. */
  readonly prefix: string;
  /** First offset to read, by partition; a partition that is left out is not read. Default: all, from the earliest. */
  readonly from?: ReadonlyMap<number, number>;
  /** `end`: up to where the topic ends now. `follow`: until the signal. Only `latest` starts at that end. */
  readonly until: 'end' | 'follow';
  readonly start?: 'earliest' | 'latest';
  readonly signal: AbortSignal;
  /** Return false to stop reading. Read-committed, in order within a partition. */
  readonly each: (record: ReadRecord) => boolean | void;
}

/**
 * Reads a topic outside any service's group: for people's commands, `verify`, and a task that resumes its journal.
 * kafkajs has no `assign()`, so this is a group of one that is deleted afterwards.
 */
export async function readTopic(settings: ReadSettings): Promise<void> {
  const { kafka, topic, signal, until } = settings;
  const admin = kafka.admin();
  await admin.connect();
  const groupId = `${settings.prefix}.reader-${randomUUID()}`;
  const consumer = kafka.consumer({
    groupId,
    partitionAssigners: [copartitioned(() => ({ held: [], refused: [] }))],
    maxWaitTimeInMs: 100,
    maxBytesPerPartition: 8 * 1024 * 1024,
    maxBytes: 64 * 1024 * 1024,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 100, retries: 10 },
  });
  try {
    const offsets = await topicOffsets(admin, topic);
    const ends = new Map<number, number>();
    /** Where reading goes on. */
    const next = new Map<number, number>();
    for (const { partition, low, high } of offsets) {
      const wanted = settings.from === undefined ? Number(low) : settings.from.get(partition);
      if (wanted === undefined) continue;
      next.set(partition, settings.start === 'latest' ? Number(high) : Math.max(wanted, Number(low)));
      ends.set(partition, Number(high));
    }
    const open = new Set(
      [...ends].filter(([partition, end]) => (next.get(partition) ?? 0) < end).map(([p]) => p),
    );
    if (until === 'end' && open.size === 0) return;
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await new Promise<void>((done, failed) => {
      const stop = () => done();
      if (signal.aborted) return stop();
      signal.addEventListener('abort', stop, { once: true });
      consumer.on(consumer.events.CRASH, ({ payload }) =>
        failed(asFailure(payload.error, 'broker_unavailable')),
      );
      consumer.on(consumer.events.GROUP_JOIN, () => {
        for (const { partition } of offsets) {
          const from = next.get(partition);
          if (from === undefined) consumer.pause([{ topic, partitions: [partition] }]);
          else consumer.seek({ topic, partition, offset: String(from) });
        }
      });
      // The end may be a control record, which no handler sees: this event counts those, too.
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
        const { partition, batchSize, lastOffset } = payload;
        // It comes for stale batches as well, of which nothing was read.
        if (batchSize === 0) next.set(partition, Math.max(next.get(partition) ?? 0, Number(lastOffset) + 1));
        if (until !== 'end') return;
        if ((next.get(partition) ?? 0) >= (ends.get(partition) ?? 0)) open.delete(partition);
        if (open.size === 0) done();
      });
      consumer
        .run({
          autoCommit: false,
          eachBatch: async ({ batch, isStale }) => {
            if (isStale() || signal.aborted) return;
            for (const message of batch.messages) {
              const offset = Number(message.offset);
              if (offset < (next.get(batch.partition) ?? 0)) continue;
              next.set(batch.partition, offset + 1);
              if (until === 'end' && offset >= (ends.get(batch.partition) ?? 0)) break;
              try {
                if (settings.each({ topic, partition: batch.partition, offset, message }) === false)
                  return done();
              } catch (error) {
                return failed(error);
              }
            }
            next.set(batch.partition, Number(batch.lastOffset()) + 1);
          },
        })
        .catch(failed);
    });
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw asFailure(error, 'broker_unavailable');
  } finally {
    await consumer.disconnect().catch(() => undefined);
    await admin.deleteGroups([groupId]).catch(() => undefined);
    await admin.disconnect().catch(() => undefined);
  }
}
