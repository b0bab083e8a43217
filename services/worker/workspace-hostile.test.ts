/** What is put into a workspace so that its tools reach out of it, and what becomes of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { link, mkdir, mkdtemp, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import { Workspace, WRITE_LIMIT } from './workspace.ts';

let root: string;
let workspace: Workspace;
let directory: string;
before(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'ravenhelm-hostile-')));
  workspace = new Workspace(root, 'mission');
  directory = await workspace.ensure();
  await mkdir(join(root, 'outside'));
  await writeFile(join(root, 'outside', 'file'), 'outside');
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
const signal = new AbortController().signal;
const modes = ['create', 'overwrite', 'append'] as const;

async function refused(path: string): Promise<void> {
  await assert.rejects(read(path), { code: 'path_refused' }, path);
  for (const mode of modes) {
    await assert.rejects(workspace.write(path, 'x', mode), { code: 'path_refused' }, `${mode} ${path}`);
  }
}

test('a hard link to a file outside can be neither read nor written, and is shown', async () => {
  await link(join(root, 'outside', 'file'), join(directory, 'hard'));
  await refused('hard');
  assert.equal(await readFile(join(root, 'outside', 'file'), 'utf8'), 'outside');
  const { entries } = await workspace.list('.', { recursive: false, limit: 100, signal });
  assert.deepEqual(
    entries.find(({ path }) => path === 'hard'),
    { path: 'hard', kind: 'file', size: 7, links: 2 },
  );
  await rm(join(directory, 'hard'));
});

test('a name that looks like our own of a killed write does not make a hard link readable', async () => {
  await link(join(root, 'outside', 'file'), join(directory, 'bait'));
  await link(join(root, 'outside', 'file'), join(directory, '.bait.0123456789ab~'));
  await refused('bait');
  assert.equal(await readFile(join(root, 'outside', 'file'), 'utf8'), 'outside');
});

test('a write that was killed between its two names is finished by whoever comes next', async () => {
  await writeFile(join(directory, '.killed.0123456789ab~'), 'whole');
  await link(join(directory, '.killed.0123456789ab~'), join(directory, 'killed'));
  assert.equal(await read('killed'), 'whole');
  assert.equal(await workspace.write('killed', 'whole', 'create'), 5);
  const { entries } = await workspace.list('.', { recursive: false, limit: 100, signal });
  assert.deepEqual(
    entries.filter(({ path }) => path.includes('killed')).map(({ path }) => path),
    ['killed'],
  );
});

test('links into /proc, devices, sockets and FIFOs are refused at once', { timeout: 5_000 }, async () => {
  for (const [name, target] of [
    ['proc', '/proc/self/environ'],
    ['root', '/proc/self/root'],
    ['cwd', '/proc/self/cwd'],
    ['zero', '/dev/zero'],
    ['shadow', '/etc/shadow'],
    ['round', 'round'],
    ['up', 'folder/../../outside/file'],
  ] as const) {
    await symlink(target, join(directory, name));
    await refused(name);
  }
  await refused('root/etc/passwd');
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  await refused('pipe');
  const server = createServer().listen(join(directory, 'socket'));
  await new Promise((done) => server.once('listening', done));
  await refused('socket');
  server.close();
  if (process.getuid?.() === 0) {
    execFileSync('mknod', [join(directory, 'device'), 'c', '1', '5']);
    await refused('device');
  }
});

test('links that stay inside go on working, of files and directories, absolute and through ..', async () => {
  await mkdir(join(directory, 'a', 'b'), { recursive: true });
  await writeFile(join(directory, 'a', 'file'), 'inside');
  await symlink('../file', join(directory, 'a', 'b', 'relative'));
  await symlink(join(directory, 'a'), join(directory, 'absolute'));
  await symlink('absolute/b/..', join(directory, 'chain'));
  for (const path of ['a/b/relative', 'absolute/file', 'absolute/b/relative', 'chain/file'])
    assert.equal(await read(path), 'inside', path);
  await workspace.write('absolute/b/relative', 'changed', 'overwrite');
  assert.equal(await readFile(join(directory, 'a', 'file'), 'utf8'), 'changed');
  await workspace.write('chain/new/file', 'new', 'create');
  assert.equal(await readFile(join(directory, 'a', 'new', 'file'), 'utf8'), 'new');
  const { entries } = await workspace.list('chain', { recursive: true, limit: 100, signal });
  assert.ok(entries.some(({ path }) => path === 'chain/new/file'));
});

test('a parent that is exchanged for a link all the time never leads out', { timeout: 20_000 }, async () => {
  const at = (name: string) => join(directory, name);
  await mkdir(at('parent'));
  await writeFile(at('parent/file'), 'inside');
  await symlink(join(root, 'outside'), at('link'));
  let swapping = true;
  let swaps = 0;
  const exchange = (from: string, to: string) => {
    renameSync(at('parent'), at(to));
    for (let done = false; !done; ) {
      // A write may have made the directory that is missing this moment, and may do so again.
      try {
        rmSync(at('parent'), { recursive: true, force: true });
        renameSync(at(from), at('parent'));
        done = true;
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : '';
        if (!['EISDIR', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(String(code))) throw error;
      }
    }
  };
  const swap = (async () => {
    while (swapping) {
      exchange('link', 'kept');
      swaps++;
      await turn();
      exchange('kept', 'link');
      await turn();
    }
  })();
  const seen = new Map<string, number>();
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
  for (let i = 0; i < 400; i++) {
    try {
      count(await read('parent/file'));
      await workspace.write('parent/file', 'inside', i % 2 === 0 ? 'overwrite' : 'append');
      await workspace.write(`parent/new-${i}`, 'x', 'create');
      const { entries } = await workspace.list('parent', { recursive: true, limit: 1_000, signal });
      assert.ok(!entries.some(({ path }) => path === 'parent/only-outside'));
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      count(error instanceof Failure ? error.code : String(error));
    }
  }
  swapping = false;
  await swap;
  assert.ok(swaps > 100, `${swaps} swaps`);
  assert.ok((seen.get('path_refused') ?? 0) > 0, JSON.stringify([...seen]));
  for (const what of seen.keys()) assert.match(what, /^(?:inside)+$|^path_refused$|^not_found$/);
  assert.deepEqual(execFileSync('ls', [join(root, 'outside')], { encoding: 'utf8' }), 'file\n');
  assert.equal(await readFile(join(root, 'outside', 'file'), 'utf8'), 'outside');
});

test('a file that is exchanged for a link all the time is never followed out', {
  timeout: 20_000,
}, async () => {
  const at = (name: string) => join(directory, name);
  await symlink(join(root, 'outside', 'file'), at('bad'));
  await writeFile(at('good'), 'inside');
  await writeFile(at('target'), 'inside');
  let swapping = true;
  const swap = (async () => {
    while (swapping) {
      await rename(at('bad'), at('target'));
      await symlink(join(root, 'outside', 'file'), at('bad'));
      await rename(at('good'), at('target'));
      await writeFile(at('good'), 'inside');
    }
  })();
  const seen = new Set<string>();
  for (let i = 0; i < 300; i++) {
    await read('target').then(
      (text) => seen.add(text),
      (error: unknown) => seen.add(error instanceof Failure ? error.code : String(error)),
    );
    await workspace.write('target', 'inside', 'append').catch((error: unknown) => {
      assert.ok(error instanceof Failure, String(error));
    });
  }
  swapping = false;
  await swap;
  assert.ok(!seen.has('outside'), [...seen].join());
  assert.ok(seen.has('path_refused'), [...seen].join());
  assert.equal(await readFile(join(root, 'outside', 'file'), 'utf8'), 'outside');
});

test('writes, depths and directories have an end', async () => {
  const most = 'x'.repeat(WRITE_LIMIT);
  assert.equal(await workspace.write('most', most, 'overwrite'), WRITE_LIMIT);
  for (const mode of modes)
    await assert.rejects(workspace.write('most', `${most}x`, mode), { code: 'invalid_arguments' });
  await assert.rejects(workspace.write(`${'d/'.repeat(300)}f`, 'x', 'create'), { code: 'path_refused' });
  const { truncated } = await workspace.list('d', { recursive: true, limit: 10_000, signal });
  assert.equal(truncated, true);
});

test('nothing is left open', async () => {
  const open = () => readdirSync('/proc/self/fd').length;
  const begun = open();
  for (let i = 0; i < 50; i++) {
    await workspace.write(`open/${i % 3}`, 'x', modes[i % 2 === 0 ? 1 : 2] ?? 'append');
    await read('open/0');
    await read('zero').catch(() => {});
    await workspace.list('.', { recursive: true, limit: 10, signal });
  }
  assert.ok(open() <= begun, `${begun} → ${open()}`);
});
