import { setTimeout as sleep } from 'node:timers/promises';
import { type Kafka, Partitioners, type Producer, type TopicMessages } from 'kafkajs';
import { within } from './deadline.ts';
import { Failure } from './failures.ts';
import type { Logger } from './log.ts';
import { type Outgoing, type OutgoingRecord, outgoing } from './outbox.ts';
import { splitSends } from './sends.ts';
import { stopPoint } from './stop-point.ts';

/** Where a published record landed. */
export interface Landed {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the first record that the same send put into this partition. */
  readonly baseOffset: number;
}

/**
 * Publishes outside transactions: steps, reports, health. One idempotent producer and one chain of sends; what is
 * asked for while a send is under way goes together in the next. A record is sent until the broker has it; where the
 * broker has forgotten the producer meanwhile, that can write it twice, and every reader of these topics recognises a
 * repeat by its event id.
 */
export interface Publisher {
  send(topic: string, records: readonly Outgoing[]): Promise<readonly Landed[]>;
  /** Waits for what was asked for, at most `deadlineMs`, then lets go. */
  close(deadlineMs: number): Promise<void>;
}

interface Waiting {
  readonly records: readonly OutgoingRecord[];
  readonly landed: (landed: readonly Landed[]) => void;
  readonly failed: (error: unknown) => void;
}

export async function openPublisher(kafka: Kafka, log: Logger): Promise<Publisher> {
  let producer = await connect(kafka);
  let queue: Waiting[] = [];
  let closed = false;
  let sending: Promise<void> | null = null;

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      const records = batch.flatMap((waiting) => waiting.records);
      try {
        const landed = await sendUntilLanded(records);
        for (const waiting of batch) waiting.landed(landed);
      } catch (error) {
        if (batch.length > 1 && is(error, refusals)) await sendEach(batch);
        else for (const waiting of batch) waiting.failed(error);
      }
    }
    sending = null;
  }

  /** One record that the broker will never take must not fail those it happened to travel with. */
  async function sendEach(batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) {
      try {
        waiting.landed(await sendUntilLanded(waiting.records));
      } catch (error) {
        waiting.failed(error);
      }
    }
  }

  async function sendUntilLanded(records: readonly OutgoingRecord[]): Promise<Landed[]> {
    const landed: Landed[] = [];
    for (const topicMessages of splitSends(records)) landed.push(...(await sendOne(topicMessages)));
    return landed;
  }

  /**
   * Asks the same producer again for the very same records: they keep their sequence numbers, so that the broker
   * recognises what it has. Only a producer that the broker no longer accepts is exchanged; that can repeat records.
   */
  async function sendOne(topicMessages: TopicMessages[]): Promise<Landed[]> {
    for (let pause = 20; ; pause = Math.min(pause * 2, 5000)) {
      try {
        stopPoint('publishing');
        const answers = await producer.sendBatch({ acks: -1, topicMessages });
        stopPoint('published');
        return answers.map(({ topicName, partition, baseOffset }) => ({
          topic: topicName,
          partition,
          baseOffset: Number(baseOffset ?? -1),
        }));
      } catch (error) {
        if (closed)
          throw new Failure('aborted', 'the publisher was closed before the broker answered', {
            cause: error,
          });
        if (is(error, refusals)) throw error;
        log.warn({ error: String(error), retry_in_ms: pause }, 'publish failed, trying again');
        await sleep(pause);
        if (is(error, disowned)) {
          await within(
            1000,
            producer.disconnect().catch(() => undefined),
          );
          producer = await connect(kafka).catch(() => producer);
        }
      }
    }
  }

  return {
    send(topic, records) {
      if (closed) return Promise.reject(new Failure('aborted', 'the publisher is closed'));
      return new Promise((landed, failed) => {
        queue.push({ records: records.map((record) => outgoing(topic, record)), landed, failed });
        sending ??= Promise.resolve().then(drain);
      });
    },
    async close(deadlineMs) {
      await within(deadlineMs, sending);
      closed = true;
      for (const waiting of queue.splice(0))
        waiting.failed(new Failure('aborted', 'the publisher is closed'));
      await producer.disconnect();
    },
  };
}

async function connect(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { initialRetryTime: 50, multiplier: 2, maxRetryTime: 2000, retries: 6 },
  });
  await producer.connect();
  return producer;
}

/** The broker's no to the records themselves: sending them again cannot help. */
const refusals = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'TOPIC_AUTHORIZATION_FAILED',
]);
/** The broker's no to the producer: its numbers no longer fit what the broker remembers. */
const disowned = new Set(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH']);

function is(error: unknown, types: ReadonlySet<string>): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('type' in cause && typeof cause.type === 'string' && types.has(cause.type)) return true;
  }
  return false;
}
