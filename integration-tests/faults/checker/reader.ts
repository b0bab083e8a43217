/** Follows topics read-committed with the bare client, from their beginning, through whatever happens to the broker. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, Kafka as Client } from 'kafkajs';
import { hideAbortedRecords } from '#chassis/aborted-records.ts';
import { Kafka, logLevel } from '#chassis/kafkajs.ts';
import { passEmptiedBatches } from '#chassis/emptied-batches.ts';

// All that the checker has in common with the services: without it the client shows what was aborted, and stalls behind
// what was compacted (decisions 29 and 30). Did it show too much, claims would be there twice; did it hide too much,
// facts would be missing.
hideAbortedRecords();
passEmptiedBatches();

export interface Seen {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: Buffer | null;
  /** When its producer wrote it, by the producer's clock; epoch milliseconds. */
  readonly timestamp: number;
  /** When it was read here. */
  readonly readAt: number;
}

export class Reader {
  private readonly kafka: Client;
  private readonly topics: readonly string[];
  private readonly take: (seen: Seen) => Promise<void>;
  private readonly next = new Map<string, number>();
  private readonly groupId: string;
  private consumer: Consumer | null = null;
  private closing = false;
  private running: Promise<void> | null = null;

  /** `take` is called for one record after the other, in order within a partition, once each; it is tried again when it throws. */
  constructor(
    broker: string,
    topics: readonly string[],
    groupId: string,
    take: (seen: Seen) => Promise<void>,
  ) {
    this.kafka = new Kafka({
      brokers: broker.split(','),
      clientId: groupId,
      logLevel: logLevel.NOTHING,
      connectionTimeout: 3000,
      requestTimeout: 15_000,
      enforceRequestTimeout: true,
    });
    this.topics = topics;
    this.groupId = groupId;
    this.take = take;
  }

  start(): void {
    this.running ??= this.keepReading();
  }

  private async keepReading(): Promise<void> {
    while (!this.closing) {
      try {
        await this.readUntilCrash();
      } catch {
        await sleep(500);
      }
    }
  }

  private async readUntilCrash(): Promise<void> {
    const consumer = this.kafka.consumer({
      groupId: this.groupId,
      sessionTimeout: 30_000,
      heartbeatInterval: 3000,
      maxWaitTimeInMs: 100,
      maxBytesPerPartition: 8 * 1024 * 1024,
      allowAutoTopicCreation: false,
      readUncommitted: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 20 },
    });
    this.consumer = consumer;
    const ended = Promise.withResolvers<void>();
    consumer.on(consumer.events.CRASH, () => ended.resolve());
    consumer.on(consumer.events.DISCONNECT, () => ended.resolve());
    consumer.on(consumer.events.GROUP_JOIN, () => {
      for (const [place, offset] of this.next) {
        const slash = place.lastIndexOf('/');
        consumer.seek({
          topic: place.slice(0, slash),
          partition: Number(place.slice(slash + 1)),
          offset: String(offset),
        });
      }
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...this.topics], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch, isStale, heartbeat }) => {
          const place = `${batch.topic}/${batch.partition}`;
          for (const message of batch.messages) {
            if (isStale() || this.closing) return;
            const offset = Number(message.offset);
            if (offset < (this.next.get(place) ?? 0)) continue;
            await this.take({
              topic: batch.topic,
              partition: batch.partition,
              offset,
              key: message.key?.toString() ?? '',
              value: message.value,
              timestamp: Number(message.timestamp),
              readAt: Date.now(),
            });
            this.next.set(place, offset + 1);
          }
          await heartbeat();
        },
      });
      await ended.promise;
    } finally {
      await Promise.race([
        consumer.disconnect().catch(() => undefined),
        sleep(3000, undefined, { ref: false }),
      ]);
    }
  }

  async close(): Promise<void> {
    this.closing = true;
    await Promise.race([
      this.consumer?.disconnect().catch(() => undefined),
      sleep(3000, undefined, { ref: false }),
    ]);
    await Promise.race([this.running, sleep(5000, undefined, { ref: false })]);
  }
}
