import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

const folder = new URL('./', import.meta.url);

/** What the decisions are made of may reach only itself, the catalogue of failures and the types. */
const allowed = new Set([
  '#chassis/failures.ts',
  '#schemas/types.gen.ts',
  // Defaults and sums: plain data.
  '#schemas/mission-command.ts',
  '#schemas/task-spec.ts',
  '#schemas/usage.ts',
  // A text in, a text out.
  '#worker/safety/neutralise.ts',
]);
/** Names whose value depends on when or where they are read. */
const impure =
  /\b(Date|performance|process|Math\.random|crypto|fetch|setTimeout|setInterval|setImmediate|console)\b/;

function imports(file: string): { readonly from: string; readonly typeOnly: boolean }[] {
  const source = readFileSync(new URL(file, folder), 'utf8');
  const found = source.matchAll(/^(?:import|export) (type )?(?:[^;'"]*? from )?['"]([^'"]+)['"]/gm);
  return [...found].map(([, typeOnly, from = '']) => ({ from, typeOnly: typeOnly !== undefined }));
}

/** All files that these import, other than for types. */
function reached(files: readonly string[]): Set<string> {
  const seen = new Set(files);
  for (const file of seen) {
    for (const { from, typeOnly } of imports(file)) {
      if (from.startsWith('./') && !typeOnly) seen.add(from.slice(2));
    }
  }
  return seen;
}

describe('decide and evolve', () => {
  const files = reached(['decide.ts', 'evolve.ts', 'timers.ts']);

  it('are found with all they import', () => {
    const there = new Set(readdirSync(folder));
    for (const file of files) assert.ok(there.has(file), file);
    for (const file of ['plan.ts', 'consequences.ts', 'turn.ts', 'policy.ts'])
      assert.ok(files.has(file), file);
  });

  it('import no client', () => {
    for (const file of files) {
      for (const { from, typeOnly } of imports(file)) {
        const fine = from.startsWith('./') || allowed.has(from) || typeOnly;
        assert.ok(fine, `${file} imports ${from}`);
      }
    }
  });

  it('read no clock, chance or environment', () => {
    for (const file of files) {
      const code = readFileSync(new URL(file, folder), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      assert.doesNotMatch(code, impure, file);
    }
  });
});
