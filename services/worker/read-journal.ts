import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { asFailure } from '#chassis/failures.ts';
import { readTopic } from '#chassis/reader.ts';
import type { Codec } from '#schemas/codec.ts';
import { type StepEvent, type StepType, stepTypes } from './journal.ts';
import type { JournalRecord } from './journal-fold.ts';
import type { JournalReader } from './run-task.ts';

/** Reads journals from the steps topic, for tasks that are resumed. */
export function journalReader(to: {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly prefix: string;
  readonly codec: Codec;
}): JournalReader {
  const { kafka, topic, prefix, codec } = to;
  return patiently(async ({ partition, offset, key, until }, signal) => {
    const found: Buffer[] = [];
    await readTopic({
      kafka,
      topic,
      prefix,
      from: new Map([[partition, offset]]),
      until: 'end',
      signal,
      each({ message }) {
        if (message.key?.toString() === key && message.value !== null) found.push(message.value);
      },
    });
    signal.throwIfAborted();
    const records: JournalRecord[] = [];
    for (const bytes of found) {
      if (!codec.knows(bytes)) await codec.load(bytes, signal);
      const { value } = codec.decode(bytes);
      if (!('event_type' in value) || !isStep(value)) continue;
      records.push({ event: value, bytes });
      if (value.event_id === until) break;
    }
    return records;
  });
}

/** What says nothing about the task, only about the way to its journal. */
const outages: ReadonlySet<string> = new Set(['broker_unavailable', 'registry_unavailable']);
const longestPauseMs = 2000;

/**
 * The same, asked again while the broker or the registry is away: a lost answer must not fail a task for good that only
 * wants to go on. The signal ends it, at the latest when the lease has become too old.
 */
export function patiently(read: JournalReader): JournalReader {
  return async (wanted, signal) => {
    for (let pause = 50; ; pause = Math.min(pause * 2, longestPauseMs)) {
      try {
        return await read(wanted, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!outages.has(asFailure(error).code)) throw error;
        await sleep(pause, undefined, { signal });
      }
    }
  };
}

const steps: ReadonlySet<string> = new Set<StepType>(stepTypes);

function isStep(value: { readonly event_type: string }): value is StepEvent {
  return steps.has(value.event_type);
}
