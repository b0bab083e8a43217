import type { FetchedRecord } from './aborted-records.ts';
import { replaceFunction } from './kafkajs-inside.ts';

/** kafkajs's decoder: bytes, and how far they were read. */
interface Decoder {
  readonly buffer: Buffer;
  readonly offset: number;
}
type Decode = (decoder: Decoder) => Promise<FetchedRecord[]>;

/**
 * Compaction leaves a batch without records where it was its producer's last one. A broker answers a fetch from one
 * segment; where nothing but such a batch is left to the end of that, kafkajs 2.2.4 finds no record, so it stays where
 * it is and asks again, for ever (its issue 1072). So a record that is never shown stands for a batch that is empty.
 */
export function passEmptiedBatches(): void {
  replaceFunction<Decode>(
    'kafkajs/src/protocol/requests/fetch/v4/decodeMessages',
    /kafkajs.src.protocol.requests.fetch.v\d+.response\.js$/,
    (decode) => async (decoder) => {
      const from = decoder.offset + 4;
      const records = await decode(decoder);
      const emptied = emptiedEnd(decoder.buffer.subarray(from, decoder.offset));
      if (emptied !== null) records.push(emptied);
      return records;
    },
  );
}

// A batch of Kafka's message format 2; see "Record Batch" in the documentation of its protocol.
const at = { length: 8, magic: 16, attributes: 21, lastOffsetDelta: 23, producerId: 43, count: 57 };
const headerBytes = 61;
/** Offset and length come before what the length counts. */
const lengthEnd = 12;
const transactional = 0x10;

/** What stands for the last whole batch of these; null where it has records, or there is none. */
export function emptiedEnd(batches: Buffer): FetchedRecord | null {
  let last: Buffer | null = null;
  for (let start = 0; start + headerBytes <= batches.length; ) {
    if (batches[start + at.magic] !== 2) return null;
    const end = start + lengthEnd + batches.readInt32BE(start + at.length);
    if (end > batches.length) break;
    last = batches.subarray(start, end);
    start = end;
  }
  if (last === null || last.readInt32BE(at.count) !== 0) return null;
  return {
    offset: String(last.readBigInt64BE(0) + BigInt(last.readInt32BE(at.lastOffsetDelta))),
    key: null,
    isControlRecord: true,
    batchContext: {
      producerId: String(last.readBigInt64BE(at.producerId)),
      inTransaction: (last.readInt16BE(at.attributes) & transactional) !== 0,
    },
  };
}
