import { isUtf8 } from 'node:buffer';
import type { KafkaMessage } from 'kafkajs';
import { type Codec, headerLength } from '#schemas/codec.ts';
import { codeVersion } from './code-version.ts';
import type { Failure } from './failures.ts';
import { header, ownHeaders, writeHeaders } from './letter-headers.ts';
import type { OutgoingRecord } from './outbox.ts';

export interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly message: KafkaMessage;
}

/** A record that is put aside: the same bytes, and in its headers its key, where it was and what happened. */
export interface PutAside {
  /** Where it goes: the dead letters, or a topic of those that wait. */
  readonly topic: string;
  readonly service: string;
  readonly origin: Origin;
  readonly failure: Pick<Failure, 'code' | 'message'>;
  /** How often it has failed. Default: once. */
  readonly attempts?: number;
  readonly now: number;
  /** Says what event it is, where it can be read. */
  readonly codec?: Codec;
  /** Of one that waits: until when, and its number among those of its key. */
  readonly waits?: { readonly dueAt: number; readonly place: number | null };
}

/** Also of a record that was sent back and failed again: it tells of the first time, and counts on. */
export function deadLetter(to: PutAside): OutgoingRecord {
  const { message, topic, partition } = to.origin;
  const { key, value, headers, offset, timestamp } = message;
  const [atPartition = String(partition), atOffset = offset] = originOf(message) ?? [];
  const place = `${topic}/${atPartition}/${atOffset}`;
  const { code } = to.failure;
  const event = eventOf(value, to.codec);
  return {
    topic: to.topic,
    partition: undefined,
    message: {
      // Whoever else reads with kafkajs: a key of four zero bytes ends its filter of aborted transactions early.
      key: isText(key) ? key : place,
      value,
      headers: {
        ...ownHeaders(headers),
        ...writeHeaders({
          topic,
          partition: atPartition,
          offset: atOffset,
          connector: to.service,
          task: String(partition),
          stage: to.service,
          exception: code,
          message: to.failure.message.slice(0, 2000),
          code,
          attempts: String(to.attempts ?? 1),
          redrives: header(headers, 'redrives') ?? '0',
          key: key === null ? null : key.toString('base64'),
          schemaId: schemaId(value),
          eventId: event.id,
          eventType: event.type,
          codeVersion,
          failedAt: new Date(to.now).toISOString(),
          producedAt: header(headers, 'producedAt') ?? new Date(Number(timestamp)).toISOString(),
          dueAt: to.waits === undefined ? null : String(to.waits.dueAt),
          place: to.waits?.place === undefined || to.waits.place === null ? null : String(to.waits.place),
        }),
      },
    },
  };
}

/** Partition and offset where it first was, of a record that was sent back. */
function originOf({ headers }: KafkaMessage): readonly string[] | null {
  return /^(\d{1,9})\/(\d{1,18})$/.exec(header(headers, 'origin') ?? '')?.slice(1) ?? null;
}

export function isText(key: Buffer | null | undefined): key is Buffer {
  return key !== null && key !== undefined && isUtf8(key) && !key.includes(0);
}

function schemaId(value: Buffer | null): string {
  return value !== null && value.length >= headerLength && value[0] === 0 ? String(value.readInt32BE(1)) : '';
}

function eventOf(value: Buffer | null, codec: Codec | undefined): { id: string; type: string } {
  try {
    const decoded = value === null || codec === undefined ? null : codec.decode(value).value;
    if (decoded !== null && 'event_id' in decoded) return { id: decoded.event_id, type: decoded.event_type };
  } catch {
    // That is why it is put aside.
  }
  return { id: '', type: '' };
}
