import type { Kafka, Producer } from 'kafkajs';
import { Failure } from './failures.ts';
import { Partitioners } from './kafkajs.ts';
import type { OutgoingRecord } from './outbox.ts';
import { splitSends } from './sends.ts';
import { stopPoint } from './stop-point.ts';

/**
 * The transactional producers of one unit of processing (a partition of a service). One transaction at a time.
 *
 * Two transactional ids take turns, because a second transaction on the same id meets CONCURRENT_TRANSACTIONS until
 * the first one's markers are written. A new owner fences both before it reads anything, so an old owner cannot
 * commit after the truth was read.
 */
export interface Transactor {
  /** Forces InitProducerId on each id: aborts what the last owner left open and refuses its later commits. */
  fence(): Promise<void>;
  /**
   * Writes all records in one transaction. After any error the outcome is unknown or the producer is fenced: the
   * transactor must be closed, and the partition acquired again.
   */
  commit(records: readonly OutgoingRecord[]): Promise<void>;
  close(): Promise<void>;
}

export interface TransactorSettings {
  readonly kafka: Kafka;
  readonly transactionalIds: readonly string[];
  readonly transactionTimeoutMs: number;
}

export function openTransactor({
  kafka,
  transactionalIds,
  transactionTimeoutMs,
}: TransactorSettings): Transactor {
  const producers = transactionalIds.map((transactionalId) =>
    kafka.producer({
      transactionalId,
      transactionTimeout: transactionTimeoutMs,
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      // Short first waits, because CONCURRENT_TRANSACTIONS passes within a millisecond or two.
      retry: { initialRetryTime: 2, multiplier: 2, maxRetryTime: 1000, retries: 11 },
    }),
  );
  let turn = 0;
  let chain: Promise<void> = Promise.resolve();
  let broken: unknown = null;

  /** kafkajs rolls a sequence number back when two calls overlap and one fails, so calls never overlap. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const result = chain.then(() => {
      if (broken !== null)
        throw new Failure('commit_unknown', 'the producer failed before', { cause: broken });
      return work();
    });
    chain = result.catch((error: unknown) => {
      broken ??= error;
    });
    return result;
  }

  async function transact(producer: Producer, records: readonly OutgoingRecord[]): Promise<void> {
    stopPoint('before-outputs');
    const transaction = await producer.transaction();
    for (const topicMessages of splitSends(records)) {
      await transaction.sendBatch({ acks: -1, topicMessages });
    }
    stopPoint('outputs-sent');
    await transaction.commit();
    stopPoint('committed');
  }

  return {
    fence: () =>
      inTurn(async () => {
        await Promise.all(
          producers.map(async (producer) => {
            await producer.connect();
            const transaction = await producer.transaction();
            await transaction.abort();
          }),
        );
      }),
    commit: (records) =>
      inTurn(async () => {
        const producer = producers[turn++ % producers.length];
        if (producer === undefined) throw new Failure('internal_error', 'a transactor without producers');
        await transact(producer, records);
      }),
    async close() {
      broken ??= new Failure('aborted', 'the transactor is closed');
      await chain;
      await Promise.allSettled(producers.map((producer) => producer.disconnect()));
    },
  };
}
