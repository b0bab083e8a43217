import type { Type } from 'avsc';
import { parseSchema } from './bounded.ts';
import { kinds, readSchemaFiles } from './files.ts';
import type { EventType, RecordName } from './types.gen.ts';

/** One schema of ours, read from its .avsc file when the process starts. */
export interface CatalogEntry {
  readonly name: RecordName;
  /** With the namespace: `ravenhelm.TaskAssigned`. */
  readonly fullName: string;
  readonly kind: (typeof kinds)[number];
  /** Relative to schemas/. */
  readonly path: string;
  /** The JSON that is registered. */
  readonly text: string;
  readonly type: Type;
  /** What `event_type` may be; null for state records, which have none. */
  readonly eventTypes: readonly string[] | null;
}

/** `ravenhelm schemas register` asks the registry for this. The ledger is kept for ever: all versions must read. */
export const compatibility = 'FULL_TRANSITIVE';

interface AvscField {
  readonly name: string;
  readonly default?: unknown;
  readonly one_of?: string;
}

function readCatalog(): CatalogEntry[] {
  return readSchemaFiles().map(({ path, text }) => {
    const schema = JSON.parse(text) as { name: string; namespace: string; fields: readonly AvscField[] };
    const eventType = schema.fields.find((field) => field.name === 'event_type');
    const kind = kinds.find((folder) => path.startsWith(`${folder}/`));
    if (kind === undefined) throw new Error(`schemas/${path} is in no folder of a kind: ${kinds.join(', ')}`);
    return {
      name: schema.name as RecordName,
      fullName: `${schema.namespace}.${schema.name}`,
      kind,
      path,
      text: JSON.stringify(schema),
      type: parseSchema(text),
      eventTypes: eventType ? (eventType.one_of?.split(' ') ?? [String(eventType.default)]) : null,
    };
  });
}

/** All schemas, in the order of their files. */
export const catalog: readonly CatalogEntry[] = readCatalog();

const byName = new Map<string, CatalogEntry>(catalog.map((entry) => [entry.name, entry]));
const byEventType = new Map<string, CatalogEntry>(
  catalog.flatMap((entry) =>
    entry.kind === 'events'
      ? (entry.eventTypes ?? []).map((type): [string, CatalogEntry] => [type, entry])
      : [],
  ),
);

export const entryOf = (name: RecordName): CatalogEntry => {
  const entry = byName.get(name);
  if (entry === undefined) throw new Error(`no schema has the record name ${name}`);
  return entry;
};
/** Undefined for a type that only a bad cast can bring. */
export const entryOfEvent = (type: string): CatalogEntry | undefined => byEventType.get(type);
export const isEventType = (type: string): type is EventType => byEventType.has(type);
export const eventTypes = [...byEventType.keys()] as readonly EventType[];
/**
 * The subject of a schema: the name of its record, so that each event type evolves on its own. The missions topic
 * has one schema under the name of the topic, so that `rpk topic produce --schema-id=topic` finds it.
 */
export function subjectOf(entry: CatalogEntry, missionsSubject: string): string {
  return entry.kind === 'missions' ? missionsSubject : entry.fullName;
}
