// Refuses a change of a schema after which records could not be read (exit 1): the .avsc files of the working tree
// against those of a commit. `--base REF` names it; else where this branch left origin/main, else the commit before.
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { incompatibilities } from '#schemas/compatibility.ts';
import { kinds, readSchemaFiles } from '#schemas/files.ts';

const { values } = parseArgs({ options: { base: { type: 'string' }, repo: { type: 'string' } } });
const repo = resolve(values.repo ?? join(import.meta.dirname, '..'));

/** Null when git says no: not a repository, no such commit, a shallow clone. */
function git(...args: string[]): string | null {
  try {
    return execFileSync('git', ['-C', repo, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 30_000,
    });
  } catch {
    return null;
  }
}

function findBase(): string | null {
  if (values.base !== undefined) return git('rev-parse', '--verify', '--quiet', `${values.base}^{commit}`);
  const head = git('rev-parse', '--verify', '--quiet', 'HEAD^{commit}');
  const left = git('merge-base', 'HEAD', 'origin/main');
  // On main itself that is HEAD, and says nothing about what HEAD brought.
  return left !== null && left !== head ? left : git('rev-parse', '--verify', '--quiet', 'HEAD~1^{commit}');
}

function schemasOf(base: string) {
  const folders = kinds.map((kind) => `schemas/${kind}`);
  const listed = git('ls-tree', '-r', '-z', '--name-only', base, '--', ...folders);
  if (listed === null) throw new Error(`git cannot list the schemas of ${base}`);
  return listed
    .split('\0')
    .filter((path) => path.endsWith('.avsc'))
    .map((path) => {
      const text = git('show', `${base}:${path}`);
      if (text === null) throw new Error(`git cannot show ${path} of ${base}`);
      return { path: path.slice('schemas/'.length), text };
    });
}

const base = findBase()?.trim();
if (base === undefined && values.base !== undefined) {
  console.error(`There is no commit ${values.base} here (a shallow clone has to fetch it first).`);
  process.exitCode = 2;
} else if (base === undefined) {
  console.log(
    'Not checked: there is no commit before this one to compare the schemas with (--base names one).',
  );
} else {
  const before = schemasOf(base);
  const found = incompatibilities(before, readSchemaFiles(join(repo, 'schemas')));
  for (const { path, field, reason } of found) console.error(`schemas/${path}: ${field} ${reason}`);
  if (found.length > 0) process.exitCode = 1;
  else console.log(`${before.length} schemas are compatible with those of ${base.slice(0, 12)}, both ways.`);
}
