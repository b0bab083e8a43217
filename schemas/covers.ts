import avsc, { type Type } from 'avsc';

const { types } = avsc;

/**
 * Whether all that can be said with one schema can be said with another: then a record may be written anew with it, and
 * nothing is lost. False where the writer knew more than we do.
 */
export function covers(ours: Type, written: Type, seen: ReadonlySet<string> = new Set()): boolean {
  if (written instanceof types.RecordType && ours instanceof types.RecordType) {
    const name = written.name ?? '';
    if (name !== '' && seen.has(name)) return true;
    const within = new Set([...seen, name]);
    const fields = new Map(ours.fields.map((field) => [field.name, field.type]));
    return written.fields.every((field) => {
      const own = fields.get(field.name);
      return own !== undefined && covers(own, field.type, within);
    });
  }
  if (written instanceof types.EnumType && ours instanceof types.EnumType) {
    const symbols = new Set(ours.symbols);
    return written.symbols.every((symbol) => symbols.has(symbol));
  }
  if (written instanceof types.ArrayType && ours instanceof types.ArrayType) {
    return covers(ours.itemsType, written.itemsType, seen);
  }
  if (written instanceof types.MapType && ours instanceof types.MapType) {
    return covers(ours.valuesType, written.valuesType, seen);
  }
  const branches = (type: Type): readonly Type[] =>
    type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType ? type.types : [type];
  const own = branches(ours);
  const theirs = branches(written);
  if (own.length === 1 && theirs.length === 1) return own[0]?.typeName === theirs[0]?.typeName;
  return theirs.every((branch) =>
    own.some(
      (each) => each.typeName === branch.typeName && each.name === branch.name && covers(each, branch, seen),
    ),
  );
}
