/** The knowledge topic: followed from its beginning by every worker process, and written through its publisher. */
import { unlessAborted } from '#chassis/deadline.ts';
import { type FollowingParts, followTopic } from '#chassis/follow-topic.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
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

type Parts = FollowingParts & Pick<ServiceContext, 'topics' | 'publisher'>;

/** Resolves when the topic is followed, not yet read. Throws what Kafka's client throws. */
export async function openKnowledge(parts: Parts): Promise<KnowledgeFeed> {
  const { admin, codec, publisher, log } = parts;
  const topic = parts.topics.knowledge;
  const knowledge = new Knowledge();
  const followed = await followTopic(
    parts,
    topic,
    ({ offset, key, value }) => {
      if (value === null) return knowledge.remove(key);
      const { value: event } = codec.decode(value);
      const known = 'event_type' in event && event.event_type === 'insight_shared' && knowledge.add(event);
      if (!known) log.warn({ topic, offset }, 'found no insight that fits, it is left out');
    },
    (offset, error) =>
      log.warn({ topic, offset, error: String(error) }, 'found no insight that can be read, it is left out'),
  );
  const ready = async (signal: AbortSignal): Promise<boolean> => {
    const late = AbortSignal.any([signal, AbortSignal.timeout(READY_MS)]);
    try {
      const ends = await unlessAborted(admin.fetchTopicOffsets(topic), late);
      await followed.readTo(ends, late);
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
    stop: (deadlineMs) => followed.stop(deadlineMs),
  };
}
