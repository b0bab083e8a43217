import type { Message, TopicMessages } from 'kafkajs';
import type { OutgoingRecord } from './outbox.ts';

/** kafkajs never splits a batch, and the broker refuses one above the topic's max.message.bytes (1 MiB by default). */
export const bytesPerPartition = 900_000;
/** What a record costs beyond its key and value: lengths, offsets, a traceparent header. */
const recordOverhead = 120;

/**
 * Splits records into successive sends, keeping their order within each topic and partition, so that no send holds
 * more for one partition than the broker takes.
 */
export function splitSends(records: readonly OutgoingRecord[]): TopicMessages[][] {
  const sends: Map<string, Message[]>[] = [];
  const fill = new Map<string, { send: number; bytes: number }>();
  for (const record of records) {
    const place = `${record.topic}/${record.partition ?? ''}`;
    const bytes = (record.message.key?.length ?? 0) + (record.message.value?.length ?? 0) + recordOverhead;
    let filled = fill.get(place);
    if (filled === undefined) {
      filled = { send: 0, bytes: 0 };
      fill.set(place, filled);
    } else if (filled.bytes + bytes > bytesPerPartition) {
      filled.send += 1;
      filled.bytes = 0;
    }
    filled.bytes += bytes;
    let send = sends[filled.send];
    if (send === undefined) {
      send = new Map();
      sends[filled.send] = send;
    }
    const messages = send.get(record.topic);
    if (messages === undefined) send.set(record.topic, [record.message]);
    else messages.push(record.message);
  }
  return sends.map((send) => [...send].map(([topic, messages]) => ({ topic, messages })));
}
