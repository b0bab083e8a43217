import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import {
  type Command,
  fromStat,
  identityOf,
  isRunning,
  launch,
  plainEnvironment,
  settingsOf,
  stop,
} from './processes.ts';

let dir = '';
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ravenhelm-test-'));
});
after(() => rm(dir, { recursive: true }));

const command = (script: string): Command => ({
  name: 'registry',
  file: process.execPath,
  args: ['--eval', script],
  inherited: plainEnvironment(process.env),
  env: { RAVENHELM_PORTS: '1,2' },
  cwd: dir,
  log: join(dir, 'logs', 'registry.log'),
  account: null,
});

/** Waits for what a process says; the runner's own timeout is the deadline. */
async function logged(log: string, words: string): Promise<void> {
  while (!(await readFile(log, 'utf8')).includes(words)) await sleep(10);
}

test('a process is started, writes to its log, and ends when asked', async () => {
  const { record, ended } = await launch(command('console.log("hello"); setInterval(() => {}, 1000)'));
  assert(await isRunning(record));
  await logged(record.log, 'hello');
  assert.equal((await stat(record.log)).mode & 0o777, 0o600);
  await stop(record, { ask: 'SIGTERM', grace: 5_000 });
  assert.equal(await ended, 'SIGTERM');
  assert(!(await isRunning(record)));
});

test('a process that does not listen is ended with its group', async () => {
  const { record, ended } = await launch(
    command('process.on("SIGTERM", () => {}); console.log("deaf"); setInterval(() => {}, 1000)'),
  );
  await logged(record.log, 'deaf');
  await stop(record, { ask: 'SIGTERM', grace: 100 });
  assert.equal(await ended, 'SIGKILL');
});

test('another process that has got the number is left alone', async () => {
  const { record, ended } = await launch(command('setInterval(() => {}, 1000)'));
  try {
    const stale = { ...record, identity: 'an earlier one' };
    assert(!(await isRunning(stale)));
    await stop(stale, { ask: 'SIGTERM', grace: 0 });
    assert(await isRunning(record));
  } finally {
    await stop(record, { ask: 'SIGTERM', grace: 5_000 });
  }
  assert.equal(await ended, 'SIGTERM');
});

test('a command that is not there is a failure that names it', async () => {
  const missing = { ...command(''), file: join(dir, 'no-such-file') };
  await assert.rejects(
    launch(missing),
    (error) =>
      error instanceof Failure &&
      error.code === 'stack_component_failed' &&
      error.message.includes('no-such-file'),
  );
});

test('a large log is moved aside at a start', async () => {
  const log = join(dir, 'large.log');
  await writeFile(log, Buffer.alloc(9 * 1024 * 1024));
  const { record } = await launch({ ...command('console.log("anew"); setInterval(() => {}, 1000)'), log });
  await logged(log, 'anew');
  await stop(record, { ask: 'SIGTERM', grace: 5_000 });
  assert.equal(await readFile(record.log, 'utf8'), 'anew\n');
  assert.equal((await stat(`${log}.1`)).size, 9 * 1024 * 1024);
});

test('the state and start of a process are read, whatever its name holds', () => {
  const fields = Array.from({ length: 49 }, (_, index) => String(index + 4)).join(' ');
  assert.deepEqual(fromStat(`12 (a) b (S 1 ) R ${fields}\n`), { state: 'R', start: '22' });
});

test('there is no identity where there is no process', async () => {
  assert.notEqual(await identityOf(process.pid), null);
  assert.equal(await identityOf(2 ** 30), null);
});

test('settings change with the command, not with the log', () => {
  const one = command('1');
  assert.equal(settingsOf(one), settingsOf({ ...one, log: 'elsewhere' }));
  assert.notEqual(settingsOf(one), settingsOf(command('2')));
  assert.notEqual(settingsOf(one), settingsOf({ ...one, env: { RAVENHELM_PORTS: '1,3' } }));
  assert.notEqual(settingsOf({ ...one, file: '/a/java' }), settingsOf({ ...one, file: '/b/java' }));
});

test('settings are the same from every shell: npx puts folders before the PATH', () => {
  const one = command('1');
  const other = { PATH: '/elsewhere', HOME: '/root', LANG: 'C' };
  assert.equal(settingsOf(one), settingsOf({ ...one, inherited: other }));
});

test('a process sees what it inherits and what is set for it', async () => {
  const script = 'console.log("sees", process.env.TZ, process.env.RAVENHELM_PORTS)';
  const shown = { ...command(script), inherited: { TZ: 'UTC' }, log: join(dir, 'logs', 'sees.log') };
  const { record, ended } = await launch({
    ...shown,
    args: ['--eval', `${script}; setInterval(() => {}, 1000)`],
  });
  try {
    await logged(record.log, 'sees UTC 1,2');
  } finally {
    await stop(record, { ask: 'SIGTERM', grace: 5_000 });
  }
  assert.equal(await ended, 'SIGTERM');
});

test('no key reaches a detached process', () => {
  const env = plainEnvironment({
    PATH: '/bin',
    ANTHROPIC_API_KEY: 'secret',
    DATABASE_URL: 'postgres://u:p@db',
  });
  assert.deepEqual(env, { PATH: '/bin' });
});
