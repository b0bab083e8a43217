import type { IHeaders } from 'kafkajs';

/**
 * Headers of records that were put aside, to wait or for good. Where Kafka Connect's dead letter queue has a name for
 * something, it is that name, so that tools which know those can read ours.
 */
export const headerNames = {
  topic: '__connect.errors.topic',
  partition: '__connect.errors.partition',
  offset: '__connect.errors.offset',
  connector: '__connect.errors.connector.name',
  task: '__connect.errors.task.id',
  stage: '__connect.errors.stage',
  exception: '__connect.errors.exception.class.name',
  message: '__connect.errors.exception.message',
  code: 'ravenhelm.code',
  /** How often it has failed. */
  attempts: 'ravenhelm.attempts',
  /** How often a dead letter of it was sent again. */
  redrives: 'ravenhelm.redrives',
  /** Its key as base64; without this header it had none. */
  key: 'ravenhelm.key',
  schemaId: 'ravenhelm.schema_id',
  eventId: 'ravenhelm.event_id',
  eventType: 'ravenhelm.event_type',
  codeVersion: 'ravenhelm.code_version',
  failedAt: 'ravenhelm.failed_at',
  producedAt: 'ravenhelm.produced_at',
  /** Of a record that waits: when it is tried again; milliseconds since 1970. */
  dueAt: 'ravenhelm.due_at',
  /** Of a record of a key whose records wait for each other: its number among them. */
  place: 'ravenhelm.place',
  /** Of a command that was passed on to the partition of its mission: it is not passed on again. */
  forwarded: 'ravenhelm.forwarded',
  /** Of a record that was sent back: `partition/offset` where it first was, in this topic. */
  origin: 'ravenhelm.origin',
} as const;

type Name = keyof typeof headerNames;

/** The text of a header; null when it is not there. Of several of one name, the first. */
export function header(headers: IHeaders | undefined, name: Name): string | null {
  return textOf(headers?.[headerNames[name]]);
}

export function textOf(found: IHeaders[string]): string | null {
  const first = Array.isArray(found) ? found[0] : found;
  return first === undefined ? null : first.toString();
}

/** Anybody may write headers: what is no whole number from 0 says nothing. */
export function count(headers: IHeaders | undefined, name: Name): number | null {
  return countOf(header(headers, name));
}

export const countOf = (text: string | null): number | null =>
  text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;

const ours = /^(?:ravenhelm|__connect\.errors)\./;

/** The headers that the record came with, without those of ours: `traceparent` above all. */
export function ownHeaders(headers: IHeaders | undefined): IHeaders {
  return Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => !ours.test(name)));
}

/** Headers of ours, by their short names; what is null is left out. */
export function writeHeaders(values: Partial<Readonly<Record<Name, string | null>>>): IHeaders {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === null || value === undefined ? [] : [[headerNames[name as Name], value]],
    ),
  );
}

/** The key as it was: base64 in a header, as the letter's own key may be made up. */
export function originalKey(headers: IHeaders | undefined): Buffer | null {
  const text = header(headers, 'key');
  return text === null ? null : Buffer.from(text, 'base64');
}
