import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';

const folder = import.meta.dirname;
const services = resolve(folder, '..');
const rooms: Readonly<Record<string, string>> = {
  '#orchestrator/': `${services}/orchestrator/`,
  '#worker/': `${services}/worker/`,
  '#schemas/': `${resolve(services, '..')}/schemas/`,
};

/** Beside its own files: a text in, a text out, and plain data. `uuid` hashes what it is given (version 5). */
const allowed = [
  /\/correlator\/[a-z-]+\.ts$/,
  /\/orchestrator\/cut\.ts$/,
  /\/worker\/safety\/neutralise\.ts$/,
];
const plainData = [/\/schemas\/(?:mission-command|task-spec|usage)\.ts$/];
const packages = new Set(['uuid']);
const impure =
  /\b(Date|performance|process|Math\.random|crypto|randomUUID|fetch|setTimeout|setInterval|setImmediate|console|v4|v7)\b/;

/** What a file imports other than for types: paths of our files, names of packages. */
function imports(file: string): string[] {
  const source = readFileSync(file, 'utf8');
  const found = source.matchAll(/^(?:import|export) (type )?(?:[^;'"]*? from )?['"]([^'"]+)['"]/gm);
  return [...found].flatMap(([, typeOnly, from = '']) => (typeOnly === undefined ? [where(file, from)] : []));
}

function where(file: string, from: string): string {
  if (from.startsWith('.')) return resolve(file, '..', from);
  const room = Object.keys(rooms).find((name) => from.startsWith(name));
  return room === undefined ? from : (rooms[room] ?? '') + from.slice(room.length);
}

function reached(start: readonly string[]): Set<string> {
  const seen = new Set(start.map((file) => resolve(folder, file)));
  for (const file of seen) {
    for (const from of imports(file)) if (from.startsWith('/')) seen.add(from);
  }
  return seen;
}

describe('what the correlator decides by', () => {
  const files = reached(['decide.ts', 'evolve.ts']);

  it('is found with all that it imports', () => {
    for (const name of ['react.ts', 'joins.ts', 'pattern.ts', 'template.ts', 'settling.ts', 'hops.ts'])
      assert.ok(files.has(resolve(folder, name)), name);
  });

  it('imports no client, and none of what has one', () => {
    for (const file of files) {
      assert.ok(
        [...allowed, ...plainData].some((shape) => shape.test(file)),
        file,
      );
      for (const from of imports(file))
        assert.ok(from.startsWith('/') || packages.has(from), `${file}: ${from}`);
    }
  });

  it('reads no clock, chance or environment', () => {
    for (const file of files) {
      const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      assert.doesNotMatch(code, impure, file);
    }
  });
});
