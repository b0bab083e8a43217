/** What tests of retries and dead letters share. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaMessage } from 'kafkajs';
import { readTopic } from '#chassis/reader.ts';
import { isLetterEvent, type LetterEvent } from '#retrier/letter-events.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import type { Namespace } from './harness.ts';

export interface Found {
  readonly partition: number;
  readonly offset: number;
  readonly message: KafkaMessage;
}

/** All that is on a topic now. */
export async function all(space: Namespace, topic: string): Promise<Found[]> {
  const found: Found[] = [];
  await readTopic({
    ...{ kafka: space.context.kafka, topic, prefix: space.prefix, until: 'end' },
    signal: AbortSignal.timeout(30_000),
    each: ({ partition, offset, message }) => void found.push({ partition, offset, message }),
  });
  return found;
}

/** Reads until it is enough; fails after the deadline with how much there was. */
export async function atLeast(
  space: Namespace,
  topic: string,
  wanted: number,
  deadlineMs = 60_000,
): Promise<Found[]> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const found = await all(space, topic);
    if (found.length >= wanted) return found;
    if (Date.now() > deadline) throw new Error(`${topic}: found ${found.length}, expected ${wanted}`);
    await sleep(200);
  }
}

/** The events about letters, as they are now. */
export async function letterEvents(space: Namespace): Promise<LetterEvent[]> {
  const { codec, topics } = space.context;
  return (await all(space, topics.dlqEvents)).flatMap(({ message }) => {
    const { value } = codec.decode(message.value ?? Buffer.alloc(0));
    return isLetterEvent(value) ? [value] : [];
  });
}

export async function untilEvents(
  space: Namespace,
  look: (events: readonly LetterEvent[]) => boolean,
  what: string,
  deadlineMs = 60_000,
): Promise<LetterEvent[]> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const events = await letterEvents(space);
    if (look(events)) return events;
    if (Date.now() > deadline) {
      const found = events.map(({ event_type, payload }) => `${event_type} ${payload.dead_letter_id}`);
      throw new Error(`no ${what}; found ${found.slice(-20).join(', ')}`);
    }
    await sleep(200);
  }
}

export const headerOf = ({ message }: Found, name: string): string => String(message.headers?.[name] ?? '');

/** An event that any handler of these tests takes. */
export const insight = (event_id: string, insightText = 'none'): EventOf<'insight_shared'> => ({
  ...{ event_id, event_type: 'insight_shared', source_agent: 'test', target_agent: '', timestamp: 0 },
  ...{ version: 1, correlation_id: event_id, causation_id: '', priority: 'normal', sequence: 0 },
  previous_hash: '',
  payload: { pattern: 'a.b', insight: insightText, tags: [], expires_at: 0 },
});
