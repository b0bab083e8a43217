import { hash } from 'node:crypto';
import type { Resolver, Type } from 'avsc';
import { Failure } from '#chassis/failures.ts';
import { parseSchema } from './bounded.ts';
import { type CatalogEntry, catalog, entryOfEvent, subjectOf } from './catalog.ts';
import { covers } from './covers.ts';
import { inTurns } from './in-turns.ts';
import { registryHttp, SchemaId } from './registry-http.ts';
import type { EventOf, EventType, RecordName, Records } from './types.gen.ts';

/** The registry's id of each of our schemas, by the full name of its record. */
export type SchemaIds = ReadonlyMap<string, number>;

/** A record in the shape of our schemas, whatever version it was written with. */
export type Decoded = { [N in RecordName]: { readonly name: N; readonly value: Records[N] } }[RecordName];

/** Asks the registry for the schema of an id: its JSON, or null when there is none. */
export type FetchSchema = (id: number, signal: AbortSignal) => Promise<string | null>;

/** The wire format of the registry: a zero byte, the schema's id as four bytes, the Avro body. */
export interface Codec {
  /** Throws Failure invalid_payload, naming the field, when the value does not fit. */
  encode<T extends EventType>(event: EventOf<T>): Buffer;
  encodeRecord<N extends RecordName>(name: N, value: Records[N]): Buffer;
  /**
   * Throws Failure undecodable (not the wire format, or not Avro), schema_unknown (an id that is not loaded),
   * unexpected_type (a schema that is not ours) or invalid_payload (an event_type that its schema does not have).
   */
  decode(bytes: Buffer): Decoded;
  /** False when `load` has to come before `decode`. Bytes that no schema can help are known: decode says why. */
  knows(bytes: Buffer): boolean;
  /** The record that the bytes hold, without reading them; null when that is not known. */
  nameOf(bytes: Buffer): RecordName | null;
  /** Whether the bytes were written with another schema than ours that says no more than ours does. */
  isOlder(bytes: Buffer): boolean;
  /** Throws Failure registry_unavailable when there is no answer; an unknown id is remembered for a while. */
  load(bytes: Buffer, signal: AbortSignal): Promise<void>;
}

export const headerLength = 5;
const unknownForMs = 30_000;
const scratchLength = 64 * 1024;

interface Writer {
  readonly entry: CatalogEntry;
  readonly id: number;
}
interface Reader {
  readonly entry: CatalogEntry;
  /** Undefined when the record was written with the very schema that we have. */
  readonly resolver: Resolver | undefined;
  /** Whether its schema says nothing that ours does not. */
  readonly covered: boolean;
}
type Known = Reader | { readonly failure: () => Failure };

/** `ids` holds all our schemas (`openCodec` looks them up). Without `fetchSchema`, other ids are unknown for good. */
export function createCodec(ids: SchemaIds, fetchSchema?: FetchSchema): Codec {
  const writers = new Map<RecordName, Writer>();
  const known = new Map<number, Known>();
  const unknownSince = new Map<number, number>();
  for (const entry of catalog) {
    const id = ids.get(entry.fullName);
    if (id === undefined) {
      throw new Failure(
        'schema_not_registered',
        `No id for ${entry.fullName}: run \`ravenhelm schemas register\`.`,
      );
    }
    if (!SchemaId.safeParse(id).success) {
      throw new Failure(
        'registry_unavailable',
        `found the schema id ${id} for ${entry.fullName}, which is none`,
      );
    }
    writers.set(entry.name, { entry, id });
    known.set(id, { entry, resolver: undefined, covered: true });
  }
  const scratch = Buffer.allocUnsafeSlow(scratchLength);

  function write(writer: Writer, value: object): Buffer {
    const { type } = writer.entry;
    checkEventType(writer.entry, value);
    try {
      const end = type.encode(value, scratch, headerLength);
      if (end > 0) {
        const bytes = Buffer.allocUnsafe(end);
        scratch.copy(bytes, 0, 0, end);
        return withHeader(bytes, writer.id);
      }
      // Too long by -end bytes: written again, into a buffer of the right length.
      const bytes = Buffer.allocUnsafeSlow(scratchLength - end);
      type.encode(value, bytes, headerLength);
      return withHeader(bytes, writer.id);
    } catch (error) {
      throw new Failure('invalid_payload', whatIsWrong(writer.entry, value, error), { cause: error });
    }
  }

  function writerOf(name: RecordName): Writer {
    const writer = writers.get(name);
    if (writer === undefined)
      throw new Failure('invalid_payload', `found the record name ${name}, which no schema has`);
    return writer;
  }

  function knows(bytes: Buffer): boolean {
    if (!hasHeader(bytes)) return true;
    const id = bytes.readInt32BE(1);
    // No registry gives out ids below 1.
    if (known.has(id) || fetchSchema === undefined || id < 1) return true;
    const since = unknownSince.get(id);
    return since !== undefined && performance.now() - since < unknownForMs;
  }

  return {
    encode(event) {
      const entry = entryOfEvent(event.event_type);
      if (entry === undefined) {
        throw new Failure(
          'invalid_payload',
          `found the event_type '${event.event_type}', which no schema has`,
        );
      }
      return write(writerOf(entry.name), event);
    },

    encodeRecord(name, value) {
      return write(writerOf(name), value);
    },

    decode(bytes) {
      const id = idOf(bytes);
      const reader = known.get(id);
      if (reader === undefined)
        throw new Failure('schema_unknown', `found schema id ${id}, which the registry does not have`);
      if ('failure' in reader) throw reader.failure();
      return read(reader, bytes);
    },

    knows,

    nameOf(bytes) {
      const reader = hasHeader(bytes) ? known.get(bytes.readInt32BE(1)) : undefined;
      return reader !== undefined && 'entry' in reader ? reader.entry.name : null;
    },

    isOlder(bytes) {
      const reader = hasHeader(bytes) ? known.get(bytes.readInt32BE(1)) : undefined;
      return reader !== undefined && 'entry' in reader && reader.resolver !== undefined && reader.covered;
    },

    async load(bytes, signal) {
      if (fetchSchema === undefined || knows(bytes)) return;
      const id = idOf(bytes);
      const text = await fetchSchema(id, signal);
      if (text === null) {
        // Bounded, as garbage can name any id.
        if (unknownSince.size >= 10_000) unknownSince.clear();
        unknownSince.set(id, performance.now());
        return;
      }
      known.set(id, readerOf(id, text));
    },
  };
}

/**
 * A codec for the ids of this registry. Registers nothing: throws Failure schema_not_registered when a schema is not
 * there as we have it. All ids are known when it returns, so that no record waits for the registry.
 */
export async function openCodec(
  url: string,
  options: { readonly missionsSubject: string; readonly signal: AbortSignal },
): Promise<Codec> {
  const { missionsSubject, signal } = options;
  const http = registryHttp(url);
  const found = await inTurns(catalog, async (entry) => {
    const subject = subjectOf(entry, missionsSubject);
    return { entry, subject, known: await http.find(subject, entry.text, signal) };
  });
  const missing = found.flatMap(({ subject, known }) => (known === null ? [subject] : []));
  if (missing.length > 0) {
    const some = missing.slice(0, 3).join(', ');
    const more = missing.length > 3 ? ` and ${missing.length - 3} more` : '';
    throw new Failure(
      'schema_not_registered',
      `${http.shownUrl} does not have ${some}${more}: run \`ravenhelm schemas register\`.`,
    );
  }
  const ids = new Map(
    found.flatMap(({ entry, known }) => (known === null ? [] : [[entry.fullName, known.id]])),
  );
  return createCodec(ids, (id, wait) => http.schemaOf(id, wait));
}

/** How to read what was written with a schema of the registry, which may be an older or newer one of ours. */
function readerOf(id: number, text: string): Known {
  const unusable = (code: 'unexpected_type' | 'undecodable', message: string) => ({
    failure: () => new Failure(code, message),
  });
  let written: Type;
  try {
    written = parseSchema(text);
  } catch (error) {
    return unusable(
      'unexpected_type',
      `found schema id ${id}, which is not an Avro schema of ours: ${reasonOf(error)}`,
    );
  }
  const entry = catalog.find(({ fullName }) => fullName === written.name);
  if (entry === undefined) {
    return unusable(
      'unexpected_type',
      `found schema id ${id} of ${written.name ?? 'no record'}, expected one of ours`,
    );
  }
  try {
    return { entry, resolver: entry.type.createResolver(written), covered: covers(entry.type, written) };
  } catch (error) {
    return unusable(
      'undecodable',
      `found schema id ${id} of ${entry.fullName}, which ours cannot read: ${reasonOf(error)}`,
    );
  }
}

function read({ entry, resolver }: Reader, bytes: Buffer): Decoded {
  let value: object | undefined;
  let end: number;
  try {
    ({ value, offset: end } = entry.type.decode(bytes, headerLength, resolver));
  } catch (error) {
    throw new Failure('undecodable', `found bytes that are not ${entry.fullName}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (value === undefined || end < 0) {
    throw new Failure('undecodable', `found ${bytes.length} bytes, which end before ${entry.fullName} does`);
  }
  if (end !== bytes.length) {
    throw new Failure('undecodable', `found ${bytes.length - end} bytes after the end of ${entry.fullName}`);
  }
  checkEventType(entry, value);
  return { name: entry.name, value } as Decoded;
}

const hasHeader = (bytes: Buffer) => bytes.length >= headerLength && bytes[0] === 0;

function idOf(bytes: Buffer): number {
  if (hasHeader(bytes)) return bytes.readInt32BE(1);
  const found =
    bytes.length < headerLength
      ? `${bytes.length} bytes, expected at least the ${headerLength} of the header`
      : `0x${bytes.toString('hex', 0, 1)} as the first byte, expected 0x00`;
  throw new Failure('undecodable', `found ${found}: not the registry's wire format`);
}

function withHeader(bytes: Buffer, id: number): Buffer {
  bytes[0] = 0;
  bytes.writeInt32BE(id, 1);
  return bytes;
}

/** Avro says only that it is a text; our types promise more. */
function checkEventType({ name, eventTypes }: CatalogEntry, value: object): void {
  const { event_type: found } = value as { readonly event_type?: string };
  if (eventTypes === null || (found !== undefined && eventTypes.includes(found))) return;
  throw new Failure(
    'invalid_payload',
    `${name}.event_type: found '${found ?? ''}', expected ${eventTypes.join(' or ')}`,
  );
}

/** The first field that does not fit. Texts are not shown: they may hold what must not be in a log. */
function whatIsWrong(entry: CatalogEntry, value: unknown, error: unknown): string {
  let wrong: string | undefined;
  const errorHook = (path: string[], found: unknown, type: Type) => {
    const shown =
      typeof found === 'string' ? `a text of ${found.length}` : found === null ? 'null' : typeof found;
    const exact = typeof found === 'number' ? ` ${found}` : '';
    wrong ??= `${[entry.name, ...path].join('.')}: found ${shown}${exact}, expected ${type.name ?? type.typeName}`;
  };
  entry.type.isValid(value, { errorHook });
  return wrong ?? `${entry.name}: ${reasonOf(error)}`;
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** SHA-256 (hex) of the Avro body alone: ids differ between registries, what was said does not. */
export function bodyHash(bytes: Buffer): string {
  return hash('sha256', bytes.subarray(headerLength), 'hex');
}

/** Where a chain ends: the number and body hash of its newest record. */
export interface ChainTail {
  readonly sequence: number;
  readonly hash: string;
}

/** A chain without records. */
export const emptyChain: ChainTail = { sequence: 0, hash: '' };

/** What the next record of a chain says of its place. */
export const chainLink = (tail: ChainTail) => ({ sequence: tail.sequence + 1, previous_hash: tail.hash });

/** The tail after a record, given as its encoded bytes. */
export const hashChain = (tail: ChainTail, bytes: Buffer): ChainTail => ({
  sequence: tail.sequence + 1,
  hash: bodyHash(bytes),
});
