import { type ReadSettings, readTopic } from '#chassis/reader.ts';
import type { Connection } from './connection.ts';
import { decodeInOrder } from './decoding.ts';

/** What to read; clients and namespace are the connection's. */
export type Reading = Omit<ReadSettings, 'kafka' | 'prefix' | 'each'>;

/** Reads a topic in order, each record with how to decode it; an unknown schema is asked for on the way. */
export async function readDecoded(
  connection: Connection,
  reading: Reading,
  each: Parameters<typeof decodeInOrder>[2],
): Promise<void> {
  const decoder = decodeInOrder(await connection.codec(), reading.signal, each);
  const { kafka, place } = connection;
  await readTopic({ ...reading, kafka, prefix: place.prefix, each: decoder.take });
  await decoder.end();
}
