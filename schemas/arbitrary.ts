import avsc, { type Type } from 'avsc';
import fc from 'fast-check';
import type { CatalogEntry } from './catalog.ts';

/** For property tests: any value that a schema can hold, with an event_type that its record may have. */
export function arbitraryOf(entry: CatalogEntry): fc.Arbitrary<object> {
  const { eventTypes } = entry;
  const record = anyOf(entry.type) as fc.Arbitrary<object>;
  if (eventTypes === null) return record;
  return fc
    .tuple(record, fc.constantFrom(...eventTypes))
    .map(([value, event_type]) => ({ ...value, event_type }));
}

function anyOf(type: Type): fc.Arbitrary<unknown> {
  const { types } = avsc;
  if (type instanceof types.RecordType) {
    return fc.record(Object.fromEntries(type.fields.map((field) => [field.name, anyOf(field.type)])), {
      noNullPrototype: true,
    });
  }
  if (type instanceof types.ArrayType) return fc.array(anyOf(type.itemsType), { maxLength: 4 });
  if (type instanceof types.EnumType) return fc.constantFrom(...type.symbols);
  if (type instanceof types.UnwrappedUnionType) return fc.oneof(...type.types.map(anyOf));
  if (type instanceof types.NullType) return fc.constant(null);
  if (type instanceof types.BooleanType) return fc.boolean();
  if (type instanceof types.IntType) return fc.integer();
  // avsc's zigzag is exact to 2^52; a time in milliseconds has 2^41.
  if (type instanceof types.LongType) return fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
  if (type instanceof types.DoubleType) return fc.double({ noNaN: true });
  if (type instanceof types.StringType) return fc.string({ unit: 'grapheme' });
  throw new Error(`no arbitrary for ${type.typeName}`);
}
