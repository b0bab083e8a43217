/** The topic of standing reactions: read to its end before the first fact is handled, and followed from then on. */

import { Failure } from '#chassis/failures.ts';
import { type FollowingParts, followTopic } from '#chassis/follow-topic.ts';
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

type Parts = FollowingParts & Pick<ServiceContext, 'topics'>;

/** Resolves when all that is in the topic now is known. Throws Failure `deadline_exceeded`, and what the client throws. */
export async function openDefinitions(parts: Parts): Promise<Definitions> {
  const { admin, codec, log } = parts;
  const topic = parts.topics.reactions;
  const standing = new StandingReactions();
  const ends = await topicOffsets(admin, topic);
  const followed = await followTopic(
    parts,
    topic,
    ({ key, value }) => {
      if (value === null) return standing.take(key, null);
      standing.take(key, decodeStanding(codec, value));
      log.info({ name: key }, 'standing reaction');
    },
    (offset, error) =>
      log.warn({ topic, offset, error: String(error) }, 'found no standing reaction, it is left out'),
  );
  const late = AbortSignal.timeout(readWithinMs);
  try {
    await followed.readTo(ends, late);
  } catch (error) {
    if (!late.aborted) throw error;
    throw new Failure('deadline_exceeded', `${topic} was not read to its end within ${readWithinMs} ms`);
  }
  return {
    at: (time) => standing.at(time),
    ready: () => followed.ready(),
    stop: (deadlineMs) => followed.stop(deadlineMs),
  };
}
