import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Failure } from '#chassis/failures.ts';
import { tail } from './logs.ts';
import { lastLines, untilReady } from './ready.ts';

let dir = '';
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ravenhelm-test-'));
});
after(() => rm(dir, { recursive: true }));

test('lines are followed, whole, through a file that is moved aside', async () => {
  const path = join(dir, 'followed.log');
  const seen = ['early', 'raven → helm', 'cut in two', 'anew'];
  await writeFile(path, 'early\n');
  const stop = new AbortController();
  const lines: string[] = [];
  for await (const line of tail(path, stop.signal, 1024)) {
    lines.push(line);
    if (line === 'early') await appendFile(path, 'raven → helm\ncut in');
    if (line === 'raven → helm') await appendFile(path, ' two\n');
    if (line === 'cut in two') {
      await rename(path, `${path}.1`);
      await writeFile(path, 'anew\n');
    }
    if (lines.length === seen.length) stop.abort();
  }
  assert.deepEqual(lines, seen);
});

test('the last lines of a file are its last lines', async () => {
  const path = join(dir, 'long.log');
  await writeFile(path, Array.from({ length: 10_000 }, (_, index) => `line ${index}\n`).join(''));
  assert.equal(await lastLines(path, 2), 'line 9998\nline 9999');
  assert.equal(await lastLines(join(dir, 'none.log'), 2), '');
});

const wait = {
  step: 'kafka' as const,
  probe: () => Promise.reject(new Error('nobody there')),
  signal: new AbortController().signal,
  report: () => {},
};

test('a component that ends before it is ready fails with the end of its log', async () => {
  const log = join(dir, 'failed.log');
  await writeFile(log, 'starting\nthe port is taken\n');
  const ended = Promise.resolve('exit code 1');
  await assert.rejects(untilReady({ ...wait, deadline: 60_000, ended, log }), (error) => {
    assert(error instanceof Failure && error.code === 'stack_component_failed');
    assert.match(error.message, /kafka ended \(exit code 1\)[\s\S]*failed\.log[\s\S]*the port is taken/);
    return true;
  });
});

test('a component that is not ready in time fails with what it last said', async () => {
  await assert.rejects(
    untilReady({ ...wait, deadline: 100, log: null }),
    /kafka is not ready after 0\.1 s \(nobody there\)/,
  );
});

test('waiting ends on abort with its reason', async () => {
  const stop = new AbortController();
  const waiting = untilReady({ ...wait, signal: stop.signal, deadline: 60_000, log: null });
  stop.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
});
