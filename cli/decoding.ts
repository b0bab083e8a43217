import type { ReadRecord } from '#chassis/reader.ts';
import type { Codec, Decoded } from '#schemas/codec.ts';

export interface DecodedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly bytes: Buffer;
  readonly decoded: Decoded;
}

export interface Decoder {
  /** Takes a record; what it throws stops the reading. */
  take(record: ReadRecord): boolean | void;
  /** Waits for what is still on its way. */
  end(): Promise<void>;
}

/**
 * Hands records on decoded and in order. Mostly at once; where a schema (an older or newer version of ours) has yet
 * to be loaded from the registry, that record and those after it wait for it.
 *
 * @param each Returns false to read no further. `decode` is lazy, so that what is passed over costs nothing, and
 * throws the codec's Failure for bytes that are no event.
 */
export function decodeInOrder(
  codec: Codec,
  signal: AbortSignal,
  each: (record: ReadRecord, decode: () => DecodedRecord) => boolean | void,
): Decoder {
  const waiting: ReadRecord[] = [];
  let draining: Promise<void> | null = null;
  let over = false;
  let error: unknown = null;

  const hand = (record: ReadRecord): void => {
    if (over) return;
    const { topic, partition, offset, message } = record;
    const bytes = message.value ?? Buffer.alloc(0);
    const key = message.key?.toString() ?? null;
    const goOn = each(record, () => ({ topic, partition, offset, key, bytes, decoded: codec.decode(bytes) }));
    if (goOn === false) over = true;
  };

  const drain = async (): Promise<void> => {
    try {
      for (let record = waiting[0]; record !== undefined; record = waiting[0]) {
        await codec.load(record.message.value ?? Buffer.alloc(0), signal);
        hand(record);
        waiting.shift();
      }
    } catch (thrown) {
      error = thrown;
      over = true;
      waiting.length = 0;
    }
    draining = null;
  };

  return {
    take(record) {
      if (error !== null) throw error;
      if (over) return false;
      if (waiting.length === 0 && codec.knows(record.message.value ?? Buffer.alloc(0))) hand(record);
      else {
        waiting.push(record);
        draining ??= drain();
      }
      return !over;
    },
    async end() {
      await draining;
      if (error !== null) throw error;
    },
  };
}
