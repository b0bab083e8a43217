/** The knowledge topic: followed from its beginning by every worker process, and written through its publisher. */
import { randomUUID } from 'node:crypto';
import { Failure } from '#chassis/failures.ts';
import { startFollower } from '#chassis/follower.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import { unlessAborted } from './journal.ts';
import { type InsightEvent, Knowledge } from './knowledge.ts';

export interface KnowledgeFeed {
  readonly knowledge: Knowledge;
  /** Whether all that is in the topic now has been read; waits for it, at most 5 s. */
  ready(signal: AbortSignal): Promise<boolean>;
  /** Durable when it resolves, and in `knowledge` a moment later. An event that is there already is not sent again. */
  share(event: InsightEvent, signal: AbortSignal): Promise<void>;
  stop(deadlineMs: number): Promise<void>;
}

const READY_MS = 5_000;

type Parts = Pick<
  ServiceContext,
  'kafka' | 'admin' | 'topics' | 'codec' | 'publisher' | 'log' | 'config' | 'crash'
>;

/** Resolves when the topic is followed, not yet read. Throws what Kafka's client throws. */
export async function openKnowledge(parts: Parts): Promise<KnowledgeFeed> {
  const { kafka, admin, codec, publisher, log, config, crash } = parts;
  const topic = parts.topics.knowledge;
  const knowledge = new Knowledge();
  /** Where each partition goes on: the topic has one, but may be given more. */
  const positions = new Map<number, number>();
  let moved = Promise.withResolvers<void>();

  const take = async (offset: number, key: Buffer | null, value: Buffer | null): Promise<void> => {
    if (value === null) return knowledge.remove(key?.toString() ?? '');
    try {
      if (!codec.knows(value)) await codec.load(value, AbortSignal.timeout(READY_MS));
      const { value: event } = codec.decode(value);
      const known = 'event_type' in event && event.event_type === 'insight_shared' && knowledge.add(event);
      if (!known) log.warn({ topic, offset }, 'found no insight that fits, it is left out');
    } catch (error) {
      // The registry comes back; bytes that nobody can read do not become readable.
      if (error instanceof Failure && error.code === 'registry_unavailable') throw error;
      log.warn({ topic, offset, error: String(error) }, 'found no insight that can be read, it is left out');
    }
  };
  const follower = await startFollower({
    kafka,
    admin,
    groupId: `${config.RAVENHELM_PREFIX}.reader-${randomUUID()}`,
    topics: [topic],
    sessionTimeoutMs: config.RAVENHELM_SESSION_TIMEOUT_MS,
    log,
    crash,
    deleteGroup: true,
    handler: {
      positions: (partition) => {
        const position = positions.get(partition);
        return Promise.resolve(new Map(position === undefined ? [] : [[topic, position]]));
      },
      async handle({ partition, records, next }) {
        for (const { offset, message } of records) {
          // After an outage a batch comes again from its beginning.
          if (offset < (positions.get(partition) ?? 0)) continue;
          await take(offset, message.key, message.value);
          positions.set(partition, offset + 1);
        }
        positions.set(partition, next);
        moved.resolve();
        moved = Promise.withResolvers();
        return next;
      },
    },
  });
  const ready = async (signal: AbortSignal): Promise<boolean> => {
    const late = AbortSignal.any([signal, AbortSignal.timeout(READY_MS)]);
    try {
      const ends = await unlessAborted(admin.fetchTopicOffsets(topic), late);
      const behind = () =>
        ends.some(
          ({ partition, low, high }) => Number(high) > Math.max(Number(low), positions.get(partition) ?? 0),
        );
      while (behind()) await unlessAborted(moved.promise, late);
      return true;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      log.warn({ topic, error: String(error) }, 'insights may be missing');
      return false;
    }
  };
  return {
    knowledge,
    ready,
    async share(event, signal) {
      await ready(signal);
      if (knowledge.has(event.event_id)) return;
      const record = { key: event.payload.pattern, value: codec.encode(event) };
      await unlessAborted(publisher.send(topic, [record]), signal);
    },
    stop: (deadlineMs) => follower.stop(deadlineMs),
  };
}
