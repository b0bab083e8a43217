import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parseSchema } from '#schemas/bounded.ts';
import { catalog } from '#schemas/catalog.ts';
import { type Codec, createCodec, headerLength } from '#schemas/codec.ts';
import type { Tail } from '../ledger.ts';
import type { LedgerRecord } from '../verify.ts';

/** A ledger as it was written, byte for byte, with all that is needed to verify it: no broker and no registry. */
export interface History {
  /** The Avro schemas of the records, by the ids that the registry gave them. */
  readonly schemas: ReadonlyMap<number, string>;
  /** Where each mission ends, at the least: what its newest `mission_status` says. */
  readonly heads: ReadonlyMap<string, Tail>;
  /** In order of partition and offset. */
  readonly records: readonly LedgerRecord[];
}

/** The first line of the file. The lines after it are records. */
interface Header {
  readonly missions: number;
  readonly facts: number;
  readonly schemas: Readonly<Record<string, object>>;
  readonly heads: Readonly<Record<string, Tail>>;
}

/** Latin-1 keeps every byte, and a person can read the texts. */
type RecordLine = readonly [partition: number, offset: number, key: string | null, valueInLatin1: string];

export function writeHistory(file: string, { schemas, heads, records }: History): void {
  const header: Header = {
    missions: new Set(records.map(({ key }) => key)).size,
    facts: records.length,
    schemas: Object.fromEntries([...schemas].map(([id, text]) => [id, JSON.parse(text) as object])),
    heads: Object.fromEntries(heads),
  };
  const lines = records.map(
    ({ partition, offset, key = null, bytes }): RecordLine => [
      partition,
      offset,
      key,
      bytes.toString('latin1'),
    ],
  );
  const text = [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, gzipSync(text, { level: 9 }));
}

/** A history, and what its own header says of it. */
export function readHistory(file: string): History & Pick<Header, 'missions' | 'facts'> {
  const [first = '', ...rest] = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n');
  const { missions, facts, schemas, heads } = JSON.parse(first) as Header;
  return {
    missions,
    facts,
    schemas: new Map(Object.entries(schemas).map(([id, schema]) => [Number(id), JSON.stringify(schema)])),
    heads: new Map(Object.entries(heads)),
    records: rest.map((line) => {
      const [partition, offset, key, value] = JSON.parse(line) as RecordLine;
      return { partition, offset, key, bytes: Buffer.from(value, 'latin1') };
    }),
  };
}

/**
 * Reads with the recorded schemas and writes with ours. A schema of ours has its recorded id as long as it writes the
 * same bytes, so that `verify` compares those; one that has gained a field has another id, and values are compared. With
 * `value` all of them have other ids, as if each had gained a field.
 */
export async function codecOf({ schemas }: History, compare: 'bytes' | 'value' = 'bytes'): Promise<Codec> {
  const recorded = new Map([...schemas].map(([id, text]) => [canonical(text), id]));
  const free = 1 + Math.max(0, ...schemas.keys());
  const ids = catalog.map(({ fullName, text }, index): [string, number] => {
    const id = compare === 'bytes' ? recorded.get(canonical(text)) : undefined;
    return [fullName, id ?? free + index];
  });
  const codec = createCodec(new Map(ids), (id) => Promise.resolve(schemas.get(id) ?? null));
  for (const id of schemas.keys()) {
    const header = Buffer.alloc(headerLength);
    header.writeInt32BE(id, 1);
    await codec.load(header, AbortSignal.timeout(1000));
  }
  return codec;
}

/** What two schemas that write the same bytes have in common: all but documentation, defaults and notes of ours. */
const canonical = (text: string): string => JSON.stringify(parseSchema(text).schema());
