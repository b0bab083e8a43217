import { randomUUID } from 'node:crypto';
import { unlessAborted } from './deadline.ts';
import { Failure } from './failures.ts';
import { startFollower } from './follower.ts';
import type { ServiceContext } from './service-context.ts';
import type { PartitionEnds } from './topic-offsets.ts';

/** How long the registry may take to give a schema. */
const schemaWithinMs = 5_000;

export type FollowingParts = Pick<ServiceContext, 'kafka' | 'admin' | 'codec' | 'log' | 'config' | 'crash'>;

export interface TopicRecord {
  readonly partition: number;
  readonly offset: number;
  /** Empty: it has none. */
  readonly key: string;
  /** Its schema is loaded. Null forgets the key. */
  readonly value: Buffer | null;
}

export interface FollowedTopic {
  /** True while it is followed. */
  ready(): boolean;
  /** Resolves when all before these ends has been taken. Rejects with the signal's reason. */
  readTo(ends: readonly PartitionEnds[], signal: AbortSignal): Promise<void>;
  stop(deadlineMs: number): Promise<void>;
}

/**
 * Follows a small topic from its beginning, in a group of this process alone, so that each process knows all of it.
 * What `take` throws is told to `leftOut`, and the record left out; but an outage of the registry is waited out.
 * Resolves when it is followed, not yet read. Throws what Kafka's client throws.
 */
export async function followTopic(
  { kafka, admin, codec, log, config, crash }: FollowingParts,
  topic: string,
  take: (record: TopicRecord) => void,
  leftOut: (offset: number, error: unknown) => void,
): Promise<FollowedTopic> {
  /** Where each partition goes on: such a topic has one, but may be given more. */
  const positions = new Map<number, number>();
  let moved = Promise.withResolvers<void>();

  const takeOne = async (record: TopicRecord): Promise<void> => {
    const { value, offset } = record;
    try {
      if (value !== null && !codec.knows(value)) {
        await codec.load(value, AbortSignal.timeout(schemaWithinMs));
      }
      take(record);
    } catch (error) {
      // The registry comes back; bytes that nobody can read do not become readable.
      if (error instanceof Failure && error.code === 'registry_unavailable') throw error;
      leftOut(offset, error);
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
          const key = message.key?.toString() ?? '';
          await takeOne({ partition, offset, key, value: message.value });
          positions.set(partition, offset + 1);
        }
        positions.set(partition, next);
        moved.resolve();
        moved = Promise.withResolvers();
        return next;
      },
    },
  });
  const isBehind = ({ partition, low, high }: PartitionEnds) =>
    Number(high) > Math.max(Number(low), positions.get(partition) ?? 0);
  return {
    ready: () => follower.ready(),
    async readTo(ends, signal) {
      while (ends.some(isBehind)) await unlessAborted(moved.promise, signal);
    },
    stop: (deadlineMs) => follower.stop(deadlineMs),
  };
}
