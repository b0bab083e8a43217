// Writes schemas/types.gen.ts from the .avsc files; with --check only says whether it is in step (exit 1 if not).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSchemaFiles, schemaFolder } from '#schemas/files.ts';
import { generateTypes } from '#schemas/generate.ts';

const target = join(schemaFolder, 'types.gen.ts');
const wanted = generateTypes(readSchemaFiles());

if (process.argv.includes('--check')) {
  const found = existsSync(target) ? readFileSync(target, 'utf8') : '';
  if (found !== wanted) {
    console.error(
      'schemas/types.gen.ts is not in step with the .avsc files: run `npm run schemas:generate`.',
    );
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, wanted);
}
