/** The topic of standing reactions: read to its end before the first fact is handled, and followed from then on. */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import { startFollower } from '#chassis/follower.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import { topicOffsets } from '#chassis/topic-offsets.ts';
import type { Standing } from './decide.ts';
import { decodeStanding, StandingReactions } from './standing.ts';

export interface Definitions {
  /** What holds for a fact of this time (epoch ms). */
  at(time: number): Standing;
  ready(): boolean;
  stop(deadlineMs: number): Promise<void>;
}

const readWithinMs = 60_000;
const schemaWithinMs = 5_000;

type Parts = Pick<ServiceContext, 'kafka' | 'admin' | 'topics' | 'codec' | 'log' | 'config' | 'crash'>;

/** Resolves when all that is in the topic now is known. Throws Failure `deadline_exceeded`, and what the client throws. */
export async function openDefinitions(parts: Parts): Promise<Definitions> {
  const { kafka, admin, codec, log, config, crash } = parts;
  const topic = parts.topics.reactions;
  const standing = new StandingReactions();
  const positions = new Map<number, number>();
  const read = Promise.withResolvers<void>();
  const ends = await topicOffsets(admin, topic);
  const behind = () =>
    ends.some(
      ({ partition, low, high }) => Number(high) > Math.max(Number(low), positions.get(partition) ?? 0),
    );
  const readSoFar = () => {
    if (!behind()) read.resolve();
  };
  readSoFar();

  const take = async (offset: number, key: string, value: Buffer | null): Promise<void> => {
    if (value === null) return standing.take(key, null);
    try {
      if (!codec.knows(value)) await codec.load(value, AbortSignal.timeout(schemaWithinMs));
      standing.take(key, decodeStanding(codec, value));
      log.info({ name: key }, 'standing reaction');
    } catch (error) {
      // The registry comes back; bytes that nobody can read do not become readable.
      if (error instanceof Failure && error.code === 'registry_unavailable') throw error;
      log.warn({ topic, offset, error: String(error) }, 'found no standing reaction, it is left out');
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
          await take(offset, message.key?.toString() ?? '', message.value);
          positions.set(partition, offset + 1);
        }
        positions.set(partition, next);
        readSoFar();
        return next;
      },
    },
  });
  const late = new AbortController();
  try {
    const deadline = sleep(readWithinMs, undefined, { signal: late.signal }).then(() => {
      throw new Failure('deadline_exceeded', `${topic} was not read to its end within ${readWithinMs} ms`);
    });
    await Promise.race([read.promise, deadline]);
  } finally {
    late.abort();
  }
  return {
    at: (time) => standing.at(time),
    ready: () => follower.ready(),
    stop: (deadlineMs) => follower.stop(deadlineMs),
  };
}
