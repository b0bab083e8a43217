/**
 * .avsc → TypeScript. An interface for each named record, a union of strings for each enum, `x | null` for
 * `["null", x]`, and the unions that make `switch (event.event_type)` exhaustive.
 */

export interface SchemaFile {
  /** Relative to schemas/, for messages: `events/task_assigned.avsc`. */
  readonly path: string;
  readonly text: string;
}

type AvroType = string | readonly AvroType[] | AvroObject;
interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly default?: unknown;
  readonly doc?: string;
  /** Ours: the values that an `event_type` may have, with spaces between; without it, its default alone. */
  readonly one_of?: string;
}
interface AvroObject {
  readonly type: AvroType;
  readonly name?: string;
  readonly namespace?: string;
  readonly doc?: string;
  readonly items?: AvroType;
  readonly symbols?: readonly string[];
  readonly fields?: readonly AvroField[];
}

const primitives: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  double: 'number',
  null: 'null',
};
const lineWidth = 110;
const envelopeDoc = 'What all events have in common; an event adds its event_type and payload.';
const quoted = (text: string) => `'${text}'`;
const shortName = (name: string) => name.slice(name.lastIndexOf('.') + 1);

/** A declaration, and the schema it was made from, so that two files cannot differ. */
interface Declaration {
  readonly source: string;
  readonly path: string;
  readonly code: string;
}

/** The text of `types.gen.ts`. Throws an Error that names the file when a schema is of a kind we do not use. */
export function generateTypes(files: readonly SchemaFile[]): string {
  const declared = new Map<string, Declaration>();
  const records: string[] = [];
  const events: string[] = [];
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const schema = JSON.parse(file.text) as AvroObject;
    const name = typeOf(schema, file.path, declared);
    records.push(name);
    if (file.path.startsWith('events/')) events.push(name);
  }
  const declarations = [...declared].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, made]) => made.code);
  return `${[
    '// Generated from schemas/**/*.avsc by `npm run schemas:generate`. Do not edit.',
    ...declarations,
    union('Event', events.sort()),
    "export type EventType = Event['event_type'];",
    'export type EventOf<T extends EventType> = Extract<Event, { readonly event_type: T }>;',
    "export type PayloadOf<T extends EventType> = EventOf<T>['payload'];",
    `/** Every schema by the name of its record. */\nexport interface Records {\n${records
      .sort()
      .map((name) => `  readonly ${name}: ${name};\n`)
      .join('')}}`,
    'export type RecordName = keyof Records;',
  ].join('\n\n')}\n`;
}

/** The TypeScript of a type in use; what it names is declared on the way. */
function typeOf(type: AvroType, path: string, declared: Map<string, Declaration>): string {
  if (typeof type === 'string') {
    const found = primitives[type] ?? (declared.has(shortName(type)) ? shortName(type) : undefined);
    if (found === undefined)
      throw new Error(`schemas/${path}: type '${type}' is neither primitive nor declared`);
    return found;
  }
  if (isUnion(type)) {
    const [first, second] = type;
    if (type.length !== 2 || first !== 'null' || second === undefined) {
      throw new Error(`schemas/${path}: found the union ${JSON.stringify(type)}, expected ["null", type]`);
    }
    return `${typeOf(second, path, declared)} | null`;
  }
  if (type.type === 'array' && type.items !== undefined) {
    const items = typeOf(type.items, path, declared);
    return items.includes(' ') ? `readonly (${items})[]` : `readonly ${items}[]`;
  }
  if (type.name === undefined) return typeOf(type.type, path, declared);
  // Visited even when it is known: a record inside may differ.
  const name = shortName(type.name);
  const code = declarationOf(name, type, path, declared);
  const source = sourceOf(type);
  const before = declared.get(name);
  if (before !== undefined && before.source !== source) {
    throw new Error(`schemas/${path}: ${name} differs from the one in schemas/${before.path}`);
  }
  declared.set(name, before ?? { source, path, code });
  return name;
}

/** The schema with names for the named types inside, as only their first use in a file is written in full. */
function sourceOf(type: AvroObject): string {
  return JSON.stringify(type, (key, value: unknown) => {
    if (typeof value === 'string') return key === 'doc' ? value : shortName(value);
    const named = typeof value === 'object' && value !== null && ('fields' in value || 'symbols' in value);
    return named && key !== '' ? shortName(String(Reflect.get(value, 'name'))) : value;
  });
}

function declarationOf(name: string, type: AvroObject, path: string, declared: Map<string, Declaration>) {
  if (type.symbols !== undefined) return union(name, type.symbols.map(quoted));
  if (type.fields === undefined) throw new Error(`schemas/${path}: ${name} is neither a record nor an enum`);
  const isEvent = ['event_type', 'payload'].every((wanted) =>
    type.fields?.some(({ name }) => name === wanted),
  );
  const own = isEvent ? ({ name }: AvroField) => name === 'event_type' || name === 'payload' : () => true;
  if (isEvent) {
    const envelope = { type: 'record', name: 'Envelope', doc: envelopeDoc };
    typeOf({ ...envelope, fields: type.fields.filter((field) => !own(field)) }, path, declared);
  }
  const fields = type.fields.filter(own).map((field) => {
    const literals = field.one_of?.split(' ') ?? [String(field.default)];
    const shown =
      field.name === 'event_type' ? literals.map(quoted).join(' | ') : typeOf(field.type, path, declared);
    const line = `  readonly ${field.name}: ${shown};`;
    const broken = `  readonly ${field.name}:\n${literals.map((value) => `    | ${quoted(value)}`).join('\n')};`;
    return comment(field.doc, '  ') + (line.length > lineWidth ? broken : line);
  });
  return `${comment(type.doc, '')}export interface ${name}${isEvent ? ' extends Envelope' : ''} {\n${fields.join('\n')}\n}`;
}

function union(name: string, members: readonly string[]): string {
  const line = `export type ${name} = ${members.join(' | ')};`;
  return line.length <= lineWidth
    ? line
    : `export type ${name} =\n${members.map((member) => `  | ${member}`).join('\n')};`;
}

const comment = (doc: string | undefined, indent: string) =>
  doc === undefined ? '' : `${indent}/** ${doc.replaceAll('*/', '* /')} */\n`;
const isUnion = (type: AvroType): type is readonly AvroType[] => Array.isArray(type);
