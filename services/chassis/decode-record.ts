import type { KafkaMessage } from 'kafkajs';
import type { Codec } from '#schemas/codec.ts';
import { Failure } from './failures.ts';
import { header } from './letter-headers.ts';
import type { InputRecord } from './processor.ts';

/** Larger records belong into the workspace, and are told of by reference. */
export const mostRecordBytes = 256 * 1024;

/** Whether the registry has to be asked before this can be decoded. What is refused anyway needs no schema. */
export function needsSchema({ value }: KafkaMessage, codec: Codec): boolean {
  return value !== null && value.length <= mostRecordBytes && !codec.knows(value);
}

const loadWithinMs = 10_000;

/**
 * A schema that was registered after this process started. Decoding says it plainly when there is none. Throws Failure
 * `registry_unavailable`.
 */
export const loadSchema = (codec: Codec, value: Buffer): Promise<void> =>
  codec.load(value, AbortSignal.timeout(loadWithinMs));

/** Throws Failure `undecodable`, `schema_unknown`, `unexpected_type`, `invalid_payload` or `record_too_large`. */
export function decodeRecord(
  topic: string,
  partition: number,
  message: KafkaMessage,
  codec: Codec,
): InputRecord {
  const { value, key, headers } = message;
  if (value === null) throw new Failure('undecodable', 'found a record without a value, expected an event');
  if (value.length > mostRecordBytes) {
    throw new Failure('record_too_large', `found ${value.length} bytes, expected at most ${mostRecordBytes}`);
  }
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: key?.toString() ?? null,
    timestamp: Number(message.timestamp),
    traceparent: headers?.['traceparent']?.toString() ?? null,
    decoded: codec.decode(value),
    bytes: value,
    ...(header(headers, 'forwarded') === null ? {} : { forwarded: true }),
  };
}
