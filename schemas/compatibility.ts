import avsc, { type Type } from 'avsc';
import { parseSchema } from './bounded.ts';
import type { SchemaFile } from './generate.ts';

/** Why records written with one of two versions of a schema could not be read with the other. */
export interface Incompatibility {
  readonly path: string;
  /** `TaskCompleted.payload.steps`. */
  readonly field: string;
  readonly reason: string;
}

/**
 * FULL compatibility, without a registry: with the schemas of `after`, all records of `before` can be read, and the
 * other way round. Schemas are matched by the name of their record. Throws an Error when one is not a valid schema.
 */
export function incompatibilities(
  before: readonly SchemaFile[],
  after: readonly SchemaFile[],
): Incompatibility[] {
  const current = new Map(after.map(({ path, text }) => [nameOf(text), { path, type: parseSchema(text) }]));
  return before.flatMap(({ path, text }) => {
    const name = nameOf(text);
    const now = current.get(name);
    if (now === undefined)
      return [{ path, field: name, reason: 'is gone, but records of it stay in the topics' }];
    const found = differences(parseSchema(text), now.type, name);
    return found.map((difference) => ({ path: now.path, ...difference }));
  });
}

const nameOf = (text: string) => (JSON.parse(text) as { name: string }).name;

type Difference = Omit<Incompatibility, 'path'>;

function differences(before: Type, after: Type, field: string): Difference[] {
  const { RecordType, ArrayType } = avsc.types;
  let inside: Difference[] = [];
  if (before instanceof RecordType && after instanceof RecordType) {
    inside = [
      ...oneSided(before, after, field, 'is gone, but had no default: older services cannot read without it'),
      ...oneSided(after, before, field, 'is new and has no default: older records cannot be read'),
      ...before.fields.flatMap(({ name, type }) => {
        const now = after.fields.find((candidate) => candidate.name === name);
        return now ? differences(type, now.type, `${field}.${name}`) : [];
      }),
    ];
  } else if (before instanceof ArrayType && after instanceof ArrayType) {
    inside = differences(before.itemsType, after.itemsType, `${field}[]`);
  }
  // What avsc says is what counts; what was found inside only says it better.
  if (inside.length > 0) return inside;
  return [
    ...unreadable(before, after, field, 'older records cannot be read'),
    ...unreadable(after, before, field, 'older services cannot read newer records'),
  ];
}

/** Fields of `one` that `other` does not have and cannot do without. */
function oneSided(
  one: avsc.types.RecordType,
  other: avsc.types.RecordType,
  field: string,
  reason: string,
): Difference[] {
  return one.fields
    .filter((own) => other.field(own.name) === undefined && own.defaultValue() === undefined)
    .map(({ name }) => ({ field: `${field}.${name}`, reason }));
}

function unreadable(written: Type, read: Type, field: string, consequence: string): Difference[] {
  try {
    read.createResolver(written);
    return [];
  } catch (error) {
    return [{ field, reason: `${consequence}: ${error instanceof Error ? error.message : String(error)}` }];
  }
}
