import { isText } from '#chassis/dead-letter.ts';
import { count, header, originalKey, ownHeaders, writeHeaders } from '#chassis/letter-headers.ts';
import type { Outgoing } from '#chassis/outbox.ts';
import type { RawRecord } from '#chassis/processor.ts';
import type { Codec } from '#schemas/codec.ts';

type Message = RawRecord['message'];

/** A record as it goes back to its topic. */
export interface SentBack {
  readonly topic: string;
  readonly record: Outgoing;
}

/** A record that has waited: its bytes, and in its headers how often it failed, and which of its key it is. */
export function afterWaiting(message: Message, partitions: number): SentBack {
  const { headers, value } = message;
  const partition = count(headers, 'partition');
  const origin = `${partition ?? ''}/${header(headers, 'offset') ?? ''}`;
  return {
    topic: header(headers, 'topic') ?? '',
    record: {
      key: keyOf(message),
      value,
      ...placeIn(partition, partitions),
      headers: {
        ...ownHeaders(headers),
        ...writeHeaders({
          attempts: header(headers, 'attempts'),
          redrives: header(headers, 'redrives'),
          place: header(headers, 'place'),
          producedAt: header(headers, 'producedAt'),
          origin,
        }),
      },
    },
  };
}

/** A dead letter that is sent again: it begins anew, and knows how often it has. */
export function redriven(message: Message, value: Buffer | null, partitions: number): SentBack {
  const { headers } = message;
  return {
    topic: header(headers, 'topic') ?? '',
    record: {
      key: keyOf(message),
      value,
      ...placeIn(count(headers, 'partition'), partitions),
      headers: {
        ...ownHeaders(headers),
        ...writeHeaders({
          redrives: String((count(headers, 'redrives') ?? 0) + 1),
          producedAt: header(headers, 'producedAt'),
        }),
      },
    },
  };
}

/** Where it was; where the topic has no such partition any more, where its key belongs. */
const placeIn = (partition: number | null, partitions: number) =>
  partition === null || partition >= partitions ? {} : { partition };

/** The key as it was. One that is no text is not sent: some clients stumble over it (docs/architecture.md). */
function keyOf({ headers, key }: Message): Buffer | null {
  const original = originalKey(headers);
  if (original === null) return null;
  return isText(original) ? original : key;
}

/**
 * The bytes with the newest schema, so that no reader needs the older one. Bytes that nobody can read stay as they
 * are.
 */
export function upcast(value: Buffer | null, codec: Codec): { value: Buffer | null; upcast: boolean } {
  // What was written with a newer schema than ours may hold more than we know of: it stays as it is.
  if (value === null || !codec.isOlder(value)) return { value, upcast: false };
  try {
    const decoded = codec.decode(value);
    return { value: codec.encodeRecord(decoded.name, decoded.value), upcast: true };
  } catch {
    return { value, upcast: false };
  }
}
