import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SchemaFile } from './generate.ts';

/** Where the .avsc files are: one folder per kind of record. */
export const schemaFolder = import.meta.dirname;
export const kinds = ['events', 'missions', 'state'] as const;

/** All .avsc files, in the order of their paths. */
export function readSchemaFiles(folder: string = schemaFolder): SchemaFile[] {
  return kinds.flatMap((kind) =>
    readdirSync(join(folder, kind))
      .filter((name) => name.endsWith('.avsc'))
      .sort()
      .map((name) => ({ path: `${kind}/${name}`, text: readFileSync(join(folder, kind, name), 'utf8') })),
  );
}
