import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import { withLock } from './lock.ts';
import { defaultPorts } from './ports.ts';
import { readState, type StackState, writeState } from './state.ts';

let dir = '';
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ravenhelm-test-'));
});
after(() => rm(dir, { recursive: true }));

const state: StackState = {
  version: 1,
  kind: 'jvm',
  brokers: 1,
  ports: defaultPorts,
  processes: { kafka: { pid: 1, identity: 'a:1', settings: 'abc', log: '/x' } },
  database: 'postgres://ravenhelm:secret@127.0.0.1:15432/ravenhelm',
  postgresPlace: null,
};

test('a state is read as it was written, and only its owner may', async () => {
  assert.equal(await readState(dir), null);
  await writeState(dir, state);
  assert.deepEqual(await readState(dir), state);
  assert.equal((await stat(join(dir, 'stack.json'))).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(dir), ['stack.json']);
});

test('a state of the time when there was one broker is read', async () => {
  const { brokers: _, ...old } = state;
  await writeFile(join(dir, 'stack.json'), JSON.stringify(old));
  assert.equal((await readState(dir))?.brokers, 1);
});

test('a file that is no state is refused, without its content', async () => {
  const broken = [
    JSON.stringify({ ...state, ports: { ...defaultPorts, kafka: 'x' } }),
    JSON.stringify({ ...state, version: 2 }),
    JSON.stringify(state).slice(0, -5),
    '',
  ];
  for (const text of broken) {
    await writeFile(join(dir, 'stack.json'), text);
    await assert.rejects(readState(dir), (error) => {
      assert(error instanceof Failure && error.code === 'stack_component_failed');
      assert(error.message.includes('stack.json') && !error.message.includes('secret'));
      return true;
    });
  }
});

const { signal } = new AbortController();

test('one at a time works on a directory', async () => {
  const lock = join(dir, 'one', 'lock');
  let inside = 0;
  let most = 0;
  let runs = 0;
  const work = () =>
    withLock(lock, signal, async () => {
      inside += 1;
      most = Math.max(most, inside);
      await sleep(5);
      inside -= 1;
      runs += 1;
    });
  await Promise.all(Array.from({ length: 6 }, work));
  assert.deepEqual({ most, runs }, { most: 1, runs: 6 });
  assert.deepEqual(await readdir(dirname(lock)), []);
});

test('the lock of a process that has died is taken over', async () => {
  const lock = join(dir, 'dead', 'lock');
  await withLock(lock, signal, async () => {
    await writeFile(lock, `${2 ** 30} gone 1`);
    assert.equal(await withLock(lock, signal, async () => 'taken over'), 'taken over');
  });
  assert.deepEqual(await readdir(dirname(lock)), []);
});

test('waiting for a lock ends on abort, and what failed gives it back', async () => {
  const lock = join(dir, 'waiting', 'lock');
  await withLock(lock, signal, async () => {
    const waiting = withLock(lock, AbortSignal.timeout(30), async () => 'never');
    await assert.rejects(waiting);
  });
  await assert.rejects(
    withLock(lock, signal, async () => {
      throw new Error('inside');
    }),
    /inside/,
  );
  assert.equal(await withLock(lock, signal, async () => 'free'), 'free');
});
