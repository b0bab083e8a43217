import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka, TopicMessages } from 'kafkajs';
import { within } from './deadline.ts';
import { Failure } from './failures.ts';
import { Partitioners } from './kafkajs.ts';
import type { Logger } from './log.ts';
import { type Outgoing, type OutgoingRecord, outgoing } from './outbox.ts';
import { refusalOf } from './refusals.ts';
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
 * Publishes outside transactions: steps, reports, health. One idempotent producer, and one chain of sends for each
 * topic, so that no topic waits for another; what is asked for while a send is under way goes together in the next.
 * A record is sent until the broker has it; where the broker has forgotten the producer meanwhile, that can write it
 * twice, and every reader of these topics recognises a repeat by its event id.
 */
export interface Publisher {
  /**
   * Rejects with what the broker says when it will never take the records, and with Failure `topic_missing` when the
   * topic was missing for as long as a new one may take to be known.
   */
  send(topic: string, records: readonly Outgoing[]): Promise<readonly Landed[]>;
  /** Waits for what was asked for, at most `deadlineMs`, then lets go. */
  close(deadlineMs: number): Promise<void>;
}

interface Waiting {
  readonly records: readonly OutgoingRecord[];
  readonly landed: (landed: readonly Landed[]) => void;
  readonly failed: (error: unknown) => void;
}

interface Chain {
  queue: Waiting[];
  /** Resolves when the queue is empty. Never rejects. */
  sending: Promise<void> | null;
}

export interface PublisherSettings {
  /** How long a topic may be missing; milliseconds. */
  readonly missingMs?: number;
}

export async function openPublisher(
  kafka: Kafka,
  log: Logger,
  { missingMs = 30_000 }: PublisherSettings = {},
): Promise<Publisher> {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { initialRetryTime: 50, multiplier: 2, maxRetryTime: 2000, retries: 6 },
  });
  await producer.connect();
  const chains = new Map<string, Chain>();
  const closed = new AbortController();

  async function drain(chain: Chain): Promise<void> {
    while (chain.queue.length > 0) {
      const batch = chain.queue;
      chain.queue = [];
      try {
        const landed = await sendUntilLanded(batch.flatMap(({ records }) => records));
        for (const waiting of batch) waiting.landed(landed);
      } catch (error) {
        if (batch.length > 1 && refusalOf(error)?.certain === true) await sendEach(batch);
        else for (const waiting of batch) waiting.failed(error);
      }
    }
    chain.sending = null;
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

  /** Asks again for the very same arrays of records: they keep their numbers, so the broker recognises what it has. */
  async function sendOne(topicMessages: TopicMessages[]): Promise<Landed[]> {
    const missingUntil = performance.now() + missingMs;
    for (let pause = 20; ; pause = Math.min(pause * 2, 2000)) {
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
        const refusal = refusalOf(error);
        if (refusal?.certain === true) throw error;
        if (refusal?.code === 'topic_missing' && performance.now() > missingUntil) {
          const topics = topicMessages.map(({ topic }) => topic).join(', ');
          throw new Failure('topic_missing', `${topics}: missing for ${missingMs / 1000} s`, {
            cause: error,
          });
        }
        if (!closed.signal.aborted) {
          log.warn({ error: String(error), retry_in_ms: pause }, 'publish failed, trying again');
          await sleep(pause, undefined, { signal: closed.signal }).catch(() => undefined);
        }
        if (closed.signal.aborted) {
          const message = 'the publisher was closed before the broker answered';
          throw new Failure('aborted', message, { cause: error });
        }
      }
    }
  }

  return {
    send(topic, records) {
      if (closed.signal.aborted) return Promise.reject(new Failure('aborted', 'the publisher is closed'));
      const chain = chains.get(topic) ?? { queue: [], sending: null };
      chains.set(topic, chain);
      return new Promise((landed, failed) => {
        chain.queue.push({ records: records.map((record) => outgoing(topic, record)), landed, failed });
        chain.sending ??= Promise.resolve().then(() => drain(chain));
      });
    },
    async close(deadlineMs) {
      await within(deadlineMs, Promise.all([...chains.values()].map(async ({ sending }) => sending)));
      closed.abort();
      for (const { queue } of chains.values())
        for (const waiting of queue.splice(0))
          waiting.failed(new Failure('aborted', 'the publisher is closed'));
      await producer.disconnect();
    },
  };
}
