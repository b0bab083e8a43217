import { catalog } from './catalog.ts';
import type { SchemaIds } from './codec.ts';

/** Ids for tests that cross no registry: our schemas numbered from `first`, in the order of their files. */
export function numberedIds(first = 1): SchemaIds {
  return new Map(catalog.map((entry, index) => [entry.fullName, first + index]));
}
