import type { KafkaMessage } from 'kafkajs';
import { asFailure } from '#chassis/failures.ts';
import { count, header, originalKey, textOf } from '#chassis/letter-headers.ts';
import { placeOfRecord } from '#chassis/retry-policy.ts';
import { letterId, readLetterId } from '#retrier/letter.ts';
import { isLetterEvent } from '#retrier/letter-events.ts';
import { evolve, type LetterHistory, noHistory } from '#retrier/letter-fold.ts';
import { type Codec, headerLength } from '#schemas/codec.ts';
import type { TopicNames } from '#topics/table.ts';
import type { Connection } from './connection.ts';
import { readDecoded } from './read-decoded.ts';

/** A dead letter, as its headers and the events about it tell. */
export interface LetterView extends LetterHistory {
  readonly id: string;
  readonly partition: number;
  readonly offset: number;
  readonly topic: string;
  readonly topic_partition: number | null;
  readonly topic_offset: number | null;
  readonly service: string;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  readonly redrives: number;
  readonly key: string | null;
  readonly mission: string;
  readonly role: string;
  readonly task: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly schema_id: number | null;
  readonly code_version: string;
  readonly failed_at: number | null;
  readonly produced_at: number | null;
  readonly traceparent: string;
  readonly record: KafkaMessage;
  /** The bytes that would be sent: as they came, or as they were edited. */
  readonly bytes: Buffer;
}

/** Which letters are wanted: all, those that failed at a time (epoch milliseconds) or later, or one. */
export type Wanted = 'all' | { readonly since: number } | LetterPlace;

export interface LetterPlace {
  readonly partition: number;
  readonly offset: number;
}

interface LetterRecord extends LetterPlace {
  readonly message: KafkaMessage;
}

/** Clocks of different machines agree no better than that. */
const skewMs = 10 * 60_000;

/**
 * Dead letters in the order of their failing, with what was decided about them. Reads no more of the topics than what
 * can be about those that are wanted.
 */
export async function readLetters(
  connection: Connection,
  signal: AbortSignal,
  wanted: Wanted = 'all',
): Promise<LetterView[]> {
  const { topics } = connection;
  const records = await readRecords(connection, signal, wanted);
  const histories = await readHistories(connection, records, signal);
  const edits = await readEdits(connection, records, histories, signal);
  signal.throwIfAborted();
  const views = records.map(({ partition, offset, message }) => {
    const history = histories.get(letterId(partition, offset)) ?? noHistory;
    const edited = history.edit === null ? undefined : edits.get(history.edit);
    return letterView(topics, { partition, offset, message }, history, edited);
  });
  return views.toSorted((a, b) => (a.failed_at ?? 0) - (b.failed_at ?? 0));
}

async function readRecords(
  connection: Connection,
  signal: AbortSignal,
  wanted: Wanted,
): Promise<readonly LetterRecord[]> {
  const topic = connection.topics.dlq;
  const records: LetterRecord[] = [];
  if (wanted !== 'all' && 'offset' in wanted) {
    const from = new Map([[wanted.partition, wanted.offset]]);
    await readDecoded(connection, { topic, from, until: 'end', signal }, (record) => {
      if (record.offset === wanted.offset) records.push(record);
      return false;
    });
    return records;
  }
  const from = wanted === 'all' ? {} : { from: await connection.offsetsSince(topic, wanted.since - skewMs) };
  await readDecoded(
    connection,
    { topic, ...from, until: 'end', signal },
    (record) => void records.push(record),
  );
  return records;
}

/** Where to read what came after these letters on a topic that has its partition for each of theirs. */
export async function sinceLetters(
  connection: Connection,
  topic: string,
  letters: readonly LetterRecord[],
): Promise<ReadonlyMap<number, number>> {
  const first = letters.reduce((least, { message }) => Math.min(least, Number(message.timestamp)), Infinity);
  if (letters.length === 0) return new Map();
  const partitions = new Set(letters.map(({ partition }) => partition));
  const offsets = await connection.offsetsSince(topic, Math.max(0, first - skewMs));
  return new Map([...offsets].filter(([partition]) => partitions.has(partition)));
}

async function readHistories(
  connection: Connection,
  letters: readonly LetterRecord[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, LetterHistory>> {
  const histories = new Map<string, LetterHistory>();
  const topic = connection.topics.dlqEvents;
  const from = await sinceLetters(connection, topic, letters);
  await readDecoded(connection, { topic, from, until: 'end', signal }, (_record, decode) => {
    const { value } = decode().decoded;
    if (!isLetterEvent(value)) return;
    const id = value.payload.dead_letter_id;
    histories.set(id, evolve(histories.get(id) ?? noHistory, value));
  });
  return histories;
}

/** The bytes of edits that were accepted, by their requests. */
async function readEdits(
  connection: Connection,
  letters: readonly LetterRecord[],
  histories: ReadonlyMap<string, LetterHistory>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Buffer>> {
  const edits = new Map<string, Buffer>();
  const wanted = new Set([...histories.values()].flatMap(({ edit }) => (edit === null ? [] : [edit])));
  if (wanted.size === 0) return edits;
  const topic = connection.topics.dlqRequests;
  const from = await sinceLetters(connection, topic, letters);
  await readDecoded(connection, { topic, from, until: 'end', signal }, (_record, decode) => {
    try {
      const { name, value } = decode().decoded;
      if (name !== 'DeadLetterRequested' || !wanted.has(value.event_id)) return;
      edits.set(value.event_id, Buffer.from(value.payload.edited, 'base64'));
    } catch {
      // Anybody may write requests; what is none has become a dead letter.
    }
  });
  return edits;
}

export function letterView(
  topics: TopicNames,
  { partition, offset, message }: { partition: number; offset: number; message: KafkaMessage },
  history: LetterHistory,
  edited?: Buffer,
): LetterView {
  const { headers, value } = message;
  const text = (name: Parameters<typeof header>[1]) => header(headers, name) ?? '';
  const key = originalKey(headers)?.toString() ?? null;
  const topic = text('topic');
  const { mission, role } = placeOfRecord(topics, topic, key);
  const bytes = edited ?? value ?? Buffer.alloc(0);
  return {
    ...history,
    ...{ id: letterId(partition, offset), partition, offset, topic, key, mission, role },
    topic_partition: count(headers, 'partition'),
    topic_offset: count(headers, 'offset'),
    service: text('stage'),
    code: text('code') || text('exception') || 'unknown',
    message: text('message'),
    attempts: count(headers, 'attempts') ?? 1,
    redrives: count(headers, 'redrives') ?? 0,
    task: role === '' ? '' : (key ?? '').split('/').slice(1).join('/'),
    event_id: text('eventId'),
    event_type: text('eventType'),
    schema_id: bytes.length >= headerLength && bytes[0] === 0 ? bytes.readInt32BE(1) : null,
    code_version: text('codeVersion'),
    failed_at: time(text('failedAt')),
    produced_at: time(text('producedAt')),
    traceparent: textOf(headers?.['traceparent']) ?? '',
    record: message,
    bytes,
  };
}

function time(text: string): number | null {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

/** For JSON: without bytes. */
export function letterDocument(letter: LetterView): object {
  const { record: _record, bytes, failed_at, produced_at, decided, ...rest } = letter;
  return {
    ...rest,
    size: bytes.length,
    failed_at: iso(failed_at),
    produced_at: iso(produced_at),
    decided: decided.map((each) => ({ ...each, at: iso(each.at) })),
  };
}

const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

/** What the bytes say, or why that cannot be told. */
export type Content =
  | { readonly name: string; readonly value: object }
  | { readonly failure: ReturnType<typeof asFailure> };

export async function contentOf(codec: Codec, bytes: Buffer, signal: AbortSignal): Promise<Content> {
  try {
    await codec.load(bytes, signal);
    return codec.decode(bytes);
  } catch (error) {
    return { failure: asFailure(error, 'undecodable') };
  }
}

export { readLetterId };
