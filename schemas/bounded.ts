import avsc, { type Schema, type Type } from 'avsc';

/** The part of avsc's reader that arrays need; avsc has no types for it. */
interface Tap {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
  skipLong(): void;
}
interface Reads {
  _read(tap: Tap): unknown;
  _skip(tap: Tap): void;
}

/**
 * An array that says no more items follow than bytes are left. avsc believes the count in the record: five bytes of
 * garbage can say a billion items and take all memory. Items of no bytes at all (arrays of null) are not used here.
 */
class BoundedArrayType extends avsc.types.ArrayType {
  _read(tap: Tap): unknown[] {
    const items = this.itemsType as unknown as Reads;
    const values: unknown[] = [];
    for (let count = readCount(tap); count > 0; count = readCount(tap)) {
      while (count-- > 0) values.push(items._read(tap));
    }
    return values;
  }

  _skip(tap: Tap): void {
    const items = this.itemsType as unknown as Reads;
    for (let count = readCount(tap); count > 0; count = readCount(tap)) {
      while (count-- > 0) items._skip(tap);
    }
  }
}

/** A negative count is followed by the size of the block, which is only of use to who trusts it. */
function readCount(tap: Tap): number {
  const found = tap.readLong();
  if (found === 0) return 0;
  if (found < 0) tap.skipLong();
  const count = Math.abs(found);
  const left = tap.buf.length - tap.pos;
  if (!(count <= left)) throw new Error(`found an array of ${count} items with ${left} bytes left`);
  return count;
}

/**
 * A schema as an avsc type: `["null", x]` is `x | null` in JavaScript, longs are numbers (exact to 2^52),
 * records are plain objects. Throws an Error when it is not a valid schema.
 */
export function parseSchema(text: string): Type {
  const typeHook = (schema: Schema, options: unknown): Type | undefined => {
    const kind = typeof schema === 'object' && 'type' in schema ? schema.type : undefined;
    // Refused rather than bounded: ours have none, and the generator takes none.
    if (kind === 'map') throw new Error('maps are not used in schemas here');
    return kind === 'array' ? new BoundedArrayType(schema, options) : undefined;
  };
  const options = { wrapUnions: 'never', omitRecordMethods: true, typeHook } as const;
  const type = avsc.Type.forSchema(JSON.parse(text) as Schema, options);
  makePlain(type, new Set());
  return type;
}

/** Lets avsc's record constructors make objects without a class, so that they compare equal to literals. */
function makePlain(type: Type, seen: Set<Type>): void {
  if (seen.has(type)) return;
  seen.add(type);
  const { types } = avsc;
  if (type instanceof types.RecordType) {
    (type as unknown as { recordConstructor: { prototype: object } }).recordConstructor.prototype =
      Object.prototype;
    for (const field of type.fields) makePlain(field.type, seen);
  } else if (type instanceof types.ArrayType) {
    makePlain(type.itemsType, seen);
  } else if (type instanceof types.UnwrappedUnionType) {
    for (const branch of type.types) makePlain(branch, seen);
  }
}
