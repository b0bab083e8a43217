import type { Admin, ConsumerGroupJoinEvent, Kafka, Consumer as KafkaConsumer } from 'kafkajs';
import type { Codec } from '#schemas/codec.ts';
import type { TopicNames } from '#topics/table.ts';
import { asFailure, Failure } from './failures.ts';
import { groupMember } from './group-member.ts';
import { rejoin } from './kafkajs-group.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';
import { Partition } from './partition.ts';
import { commonPartitions, watchPartitions } from './partition-counts.ts';
import type { FetchControl } from './partition-settings.ts';
import type { Processor } from './processor.ts';
import type { Publisher } from './publisher.ts';
import type { RetryPolicy } from './retry-policy.ts';
import { topicOffsets } from './topic-offsets.ts';
import { openTransactor } from './transactor.ts';

/** How often the group's offsets, which people see with `rpk group describe`, follow the true ones. */
const offsetsEveryMs = 1000;
/** How long the broker holds an empty fetch; a seek or a resume waits for at most this long. */
const fetchWaitMs = 250;
/** No fetch, or a partition that does not move, for this long: the process ends and is started again. */
const stallMs = 60_000;

export interface ConsumerSettings {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly processor: Processor;
  /** Topics that have as many partitions as the inputs. */
  readonly together: readonly string[];
  readonly groupId: string;
  readonly publisher: Publisher;
  readonly codec: Codec;
  readonly topics: TopicNames;
  readonly retries: RetryPolicy;
  readonly sessionTimeoutMs: number;
  readonly transactionTimeoutMs: number;
  readonly now: () => number;
  readonly log: Logger;
  readonly crash: (failure: Failure) => void;
}

/** A member of a consumer group that runs one processor: it holds partitions, and lets go of them. */
export interface Consumer {
  /** True once it has joined the group, while every partition it holds is acquired and gets on. */
  ready(): boolean;
  /** Why it runs less than it holds; empty: it runs all, or is about to. */
  reason(): string;
  /** Asks every partition to look again: there may be room now. */
  pump(): void;
  stop(deadlineMs: number): Promise<void>;
}

export async function startConsumer(settings: ConsumerSettings): Promise<Consumer> {
  const { kafka, admin, processor, groupId, log, crash } = settings;
  const partitions = new Map<number, Partition>();
  /** Why partitions were given up. The group is told with each join, so that others get them, as long as there are some. */
  const refused = new Map<number, Failure>();
  const topics = [...processor.inputs, processor.stateTopic];
  // A client of its own: one that has asked for a topic that is deleted later fails for all other topics as well.
  const offsets = kafka.admin();
  const countPartitions = () => commonPartitions(admin, settings.together, topics);
  const count = await countPartitions();
  await offsets.connect();
  const watch = watchPartitions({ count, look: countPartitions, crash, log });
  let joined = false;
  let stopping = false;
  let fetchedAt = performance.now();

  const consumer = groupMember(kafka, {
    groupId,
    sessionTimeoutMs: settings.sessionTimeoutMs,
    fetchWaitMs,
    claims: () => ({
      held: [...partitions.keys()].filter((index) => !refused.has(index)),
      refused: [...refused.keys()],
    }),
  });

  const control: FetchControl = {
    // kafkajs throws on these once it has begun to stop.
    pause: (topic, partition) => void (stopping || consumer.pause([{ topic, partitions: [partition] }])),
    resume: (topic, partition) => void (stopping || consumer.resume([{ topic, partitions: [partition] }])),
    seek: (topic, partition, offset) =>
      void (stopping || consumer.seek({ topic, partition, offset: String(offset) })),
    async ends(topic, partition) {
      const found = (await topicOffsets(offsets, topic)).find((each) => each.partition === partition);
      if (found === undefined)
        throw new Failure('topic_missing', `found no partition ${partition} of ${topic}`);
      return { low: Number(found.low), high: Number(found.high) };
    },
  };

  function take(index: number): Partition {
    return new Partition({
      index,
      processor,
      control,
      openTransactor: (transactionalIds) =>
        openTransactor({ kafka, transactionalIds, transactionTimeoutMs: settings.transactionTimeoutMs }),
      publisher: settings.publisher,
      codec: settings.codec,
      topics: settings.topics,
      retries: settings.retries,
      now: settings.now,
      log,
      refused(failure) {
        const isNew = !refused.has(index);
        refused.set(index, failure);
        // It is tried again whenever the group gives it to us; the group is asked for another member once.
        if (isNew) rejoin(groupId);
      },
      crash,
    });
  }

  /** There is no callback on revocation: what was taken away is seen by comparing this assignment with the last. */
  function onJoin({ payload }: ConsumerGroupJoinEvent): void {
    if (stopping) return;
    joined = true;
    fetchedAt = performance.now();
    const assigned = new Set(payload.memberAssignment[processor.inputs[0] ?? ''] ?? []);
    for (const [index, partition] of partitions) {
      // It was tried again, and what only another member could run has ended meanwhile.
      if (partition.running) refused.delete(index);
      if (assigned.has(index) && partition.running) {
        partition.seekInputs();
        continue;
      }
      partitions.delete(index);
      void partition.close(5000);
    }
    for (const index of assigned) {
      if (partitions.has(index)) continue;
      // Pauses outlive a rebalance; the client must fetch nothing of this partition until it is acquired.
      for (const topic of topics) control.pause(topic, index);
      const partition = take(index);
      partitions.set(index, partition);
      void partition.acquire();
    }
    // The client joins again when a topic has got more partitions.
    void watch.look();
    log.info({ group: groupId, partitions: [...assigned] }, 'joined group');
  }

  consumer.on(consumer.events.GROUP_JOIN, onJoin);
  consumer.on(consumer.events.FETCH, () => {
    fetchedAt = performance.now();
  });
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    if (payload.topic !== processor.stateTopic)
      partitions.get(payload.partition)?.batchEnded(payload.topic, payload);
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    // Whether kafkajs would restart it or not: a process that lost its consumer is not healthy (issues 1443, 1721).
    if (!stopping) crash(asFailure(payload.error, 'consumer_crashed'));
  });

  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 1,
    eachBatch: async ({ batch, isStale }) => {
      if (!stopping && !isStale()) partitions.get(batch.partition)?.offer(batch);
    },
  });

  let telling: Promise<void> | null = null;
  const offsetsTimer = setInterval(() => {
    // The client tries again for long: one at a time.
    telling ??= commitOffsets(consumer, partitions, log).finally(() => {
      telling = null;
    });
  }, offsetsEveryMs);
  const watchdog = setInterval(() => {
    metrics.partitions.set(
      { state: `${processor.service}:running` },
      [...partitions.values()].filter((p) => p.running).length,
    );
    const stalled = [...partitions.values()].find((partition) => partition.stalledFor() > stallMs);
    if (stalled !== undefined)
      crash(
        new Failure('stalled', `partition ${stalled.index} of ${groupId} made no progress for ${stallMs} ms`),
      );
    else if (performance.now() - fetchedAt > stallMs)
      crash(new Failure('stalled', `${groupId} fetched nothing for ${stallMs} ms`));
  }, 5000);
  watchdog.unref();

  return {
    ready: () => joined && [...partitions.values()].every((partition) => partition.ready),
    reason: () =>
      [...refused]
        .filter(([index]) => partitions.get(index)?.running === false)
        .map(([index, { message }]) => `partition ${index}: ${message}`)
        .join('; '),
    pump() {
      for (const partition of partitions.values()) partition.pump();
    },
    async stop(deadlineMs) {
      stopping = true;
      watch.stop();
      clearInterval(offsetsTimer);
      clearInterval(watchdog);
      await Promise.all([...partitions.values()].map((partition) => partition.close(deadlineMs)));
      await commitOffsets(consumer, partitions, log);
      await consumer.disconnect();
      await offsets.disconnect();
    },
  };
}

const lastCommitted = new WeakMap<Partition, string>();

/** For people and their tools only: after a restart the true positions come from the changelog. */
async function commitOffsets(
  consumer: KafkaConsumer,
  partitions: ReadonlyMap<number, Partition>,
  log: Logger,
): Promise<void> {
  const changed = [...partitions.values()]
    .map((partition) => ({ partition, positions: JSON.stringify([...partition.committedPositions]) }))
    .filter(({ partition, positions }) => lastCommitted.get(partition) !== positions);
  const offsets = changed.flatMap(({ partition }) =>
    [...partition.committedPositions].map(([topic, position]) => ({
      topic,
      partition: partition.index,
      offset: String(position),
    })),
  );
  if (offsets.length === 0) return;
  try {
    await consumer.commitOffsets(offsets);
    for (const { partition, positions } of changed) lastCommitted.set(partition, positions);
  } catch (error) {
    log.debug({ error: String(error) }, 'group offsets not committed');
  }
}
