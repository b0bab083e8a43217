import type { Kafka } from 'kafkajs';
import { Failure } from '#chassis/failures.ts';
import { type ReadRecord, readTopic } from '#chassis/reader.ts';
import { type Codec, headerLength } from '#schemas/codec.ts';
import { registryHttp } from '#schemas/registry-http.ts';
import type { TopicNames } from '#topics/table.ts';
import type { Tail } from '../ledger.ts';
import type { LedgerRecord } from '../verify.ts';
import type { History } from './history.ts';

export interface Namespace {
  readonly kafka: Kafka;
  readonly codec: Codec;
  readonly topics: Pick<TopicNames, 'coordination' | 'status'>;
  readonly prefix: string;
  /** URL of the registry. */
  readonly registry: string;
}

/** Reads the history of a namespace as it is now. Throws `schema_unknown` when the registry has lost a schema. */
export async function recordHistory(from: Namespace, signal: AbortSignal): Promise<History> {
  const { codec, topics, registry } = from;
  // The heads first: the ledger goes on, and is never behind them.
  const heads = new Map<string, Tail>();
  for (const { message } of await readAll(from, topics.status, signal)) {
    if (message.value === null) continue;
    await codec.load(message.value, signal);
    const { name, value } = codec.decode(message.value);
    if (name !== 'MissionStatus') continue;
    const { head_sequence: sequence, head_hash: hash } = value.payload;
    heads.set(value.correlation_id, { sequence, hash });
  }
  const ledger = await readAll(from, topics.coordination, signal);
  const records = ledger
    .map(({ partition, offset, message }): LedgerRecord => {
      const bytes = message.value ?? Buffer.alloc(0);
      return { partition, offset, key: message.key?.toString() ?? null, bytes };
    })
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  const schemas = new Map<number, string>();
  const http = registryHttp(registry);
  for (const id of new Set(records.map(({ bytes }) => bytes.readInt32BE(headerLength - 4)))) {
    const text = await http.schemaOf(id, signal);
    if (text === null)
      throw new Failure('schema_unknown', `found schema id ${id}, which the registry does not have`);
    schemas.set(id, text);
  }
  return { schemas, heads, records };
}

async function readAll(
  { kafka, prefix }: Namespace,
  topic: string,
  signal: AbortSignal,
): Promise<readonly ReadRecord[]> {
  const records: ReadRecord[] = [];
  await readTopic({
    kafka,
    topic,
    prefix,
    until: 'end',
    signal,
    each: (record) => void records.push(record),
  });
  signal.throwIfAborted();
  return records;
}
