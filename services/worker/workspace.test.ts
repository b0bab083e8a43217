import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#chassis/failures.ts';
import { components, directoryName, Workspace } from './workspace.ts';

let root: string;
let workspace: Workspace;
let directory: string;

before(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'ravenhelm-workspace-')));
  await writeFile(join(root, 'outside.txt'), 'outside');
  workspace = new Workspace(root, 'mission');
  directory = await workspace.ensure();
  await writeFile(join(directory, 'inside.txt'), 'inside');
  await mkdir(join(directory, 'folder'));
  await symlink('..', join(directory, 'up'));
  await symlink('../outside.txt', join(directory, 'leaf'));
  await symlink('../made-through-a-link.txt', join(directory, 'dangling'));
  await symlink('inside.txt', join(directory, 'alias'));
  execFileSync('mkfifo', [join(directory, 'fifo')]);
});
after(() => rm(root, { recursive: true }));

async function read(path: string): Promise<string> {
  const { file } = await workspace.openFile(path);
  try {
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

test('the workspace is for its owner only', async () => {
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
});

for (const path of [
  '../outside.txt',
  'folder/../../outside.txt',
  '/etc/passwd',
  'up/outside.txt',
  'leaf',
  'fifo',
  'a\0b',
  'C:\\x',
  'x'.repeat(300),
]) {
  test(`${JSON.stringify(path.slice(0, 40))} is refused`, { timeout: 2_000 }, async () => {
    await assert.rejects(read(path), { code: 'path_refused' });
    for (const mode of ['create', 'overwrite', 'append'] as const) {
      await assert.rejects(workspace.write(path, 'changed', mode), { code: 'path_refused' });
    }
    assert.equal(await readFile(join(root, 'outside.txt'), 'utf8'), 'outside');
  });
}

test('nothing is made through a link to nothing', async () => {
  await assert.rejects(workspace.write('dangling', 'x', 'overwrite'), { code: 'path_refused' });
  await assert.rejects(lstat(join(root, 'made-through-a-link.txt')));
});

test('a link that stays inside may be read', async () => {
  assert.equal(await read('alias'), 'inside');
  assert.equal(await read('./folder/../inside.txt').catch((error: Failure) => error.code), 'path_refused');
});

test('what is missing is said to be', async () => {
  await assert.rejects(read('nothing.txt'), { code: 'not_found' });
  await assert.rejects(read('folder'), { code: 'not_found' });
  await assert.rejects(read('inside.txt/x'), { code: 'not_found' });
});

const fragment = fc.constantFrom(
  '..',
  '.',
  '',
  'a',
  'up',
  'leaf',
  'folder',
  'dangling',
  'alias',
  '\0',
  '~',
  '\\',
  '…',
  'x.txt',
);
const anyPath = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .tuple(fc.constantFrom('', '/', './', '//'), fc.array(fragment, { maxLength: 6 }))
    .map(([start, parts]) => start + parts.join('/')),
);

test('property: whatever the path, a write lands inside or is refused', async () => {
  const before = (await readdir(root)).sort();
  await fc.assert(
    fc.asyncProperty(anyPath, fc.constantFrom('create', 'overwrite', 'append'), async (path, mode) => {
      try {
        await workspace.write(path, 'x', mode);
        const written = await realpath(join(directory, path));
        assert.ok(written.startsWith(directory + sep), written);
        await rm(written);
      } catch (error) {
        // The file system's own refusals (a directory in the way, a name that it cannot hold) are fine too.
        assert.ok(
          error instanceof Failure ||
            (error instanceof Error && 'code' in error && error.code !== 'ERR_ASSERTION'),
          String(error),
        );
      }
    }),
    { numRuns: 500 },
  );
  assert.deepEqual((await readdir(root)).sort(), before);
  assert.equal(await readFile(join(root, 'outside.txt'), 'utf8'), 'outside');
});

test('property: components never lead upward and never lose a name', () => {
  fc.assert(
    fc.property(anyPath, (path) => {
      try {
        for (const part of components(path))
          assert.ok(part !== '' && part !== '.' && part !== '..' && !part.includes('/'));
      } catch (error) {
        assert.ok(error instanceof Failure && error.code === 'path_refused');
      }
    }),
  );
});

test('property: mission ids become single safe names, different ids different ones', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.string({ unit: 'binary', minLength: 1 }),
      (a, b) => {
        assert.match(directoryName(a), /^[a-z0-9._~-]{1,100}$/);
        assert.notEqual(directoryName(a), '..');
        // On file systems that do not tell case apart, too.
        assert.equal(directoryName(a).toLowerCase() === directoryName(b).toLowerCase(), a === b);
      },
    ),
  );
  assert.notEqual(directoryName('Deploy'), directoryName('deploy'));
  assert.notEqual(directoryName('..'), '..');
});

test('writes are atomic, and may be done again', async () => {
  assert.equal(await workspace.write('new/deep/file.txt', 'one', 'create'), 3);
  assert.equal(await workspace.write('new/deep/file.txt', 'one', 'create'), 3);
  await assert.rejects(workspace.write('new/deep/file.txt', 'two', 'create'), {
    message: /exists with another content/,
  });
  await workspace.write('new/deep/file.txt', 'two', 'overwrite');
  assert.equal(await workspace.write('new/deep/file.txt', '!', 'append'), 4);
  assert.equal(await read('new/deep/file.txt'), 'two!');
  assert.deepEqual(await readdir(join(directory, 'new/deep')), ['file.txt']);
});

test('lists sorted, bounded, and does not follow links', async () => {
  const signal = new AbortController().signal;
  const { entries, truncated } = await workspace.list('.', { recursive: true, limit: 100, signal });
  assert.equal(truncated, false);
  assert.ok(entries.some((entry) => entry.path === 'up' && entry.kind === 'link'));
  assert.ok(entries.some((entry) => entry.path === 'fifo' && entry.kind === 'other'));
  assert.ok(entries.every((entry) => !entry.path.includes('outside')));
  const few = await workspace.list('.', { recursive: true, limit: 2, signal });
  assert.deepEqual([few.entries.length, few.truncated], [2, true]);
  await assert.rejects(workspace.list('up', { recursive: false, limit: 9, signal }), {
    code: 'path_refused',
  });
});
