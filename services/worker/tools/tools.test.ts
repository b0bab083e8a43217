import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { defaultSandboxRules } from '#roles/sandbox-front-matter.ts';
import { Workspace } from '#worker/workspace.ts';
import { terminalCommand } from './execute-terminal-command.ts';
import { fitJson, HeadAndTail, wholeCharacters } from './output.ts';
import type { ToolContext, ToolResult } from './tool.ts';
import { toolboxOf, toolNames } from './toolbox.ts';

let root: string;
let workspace: Workspace;
let directory: string;
const rules = { ...defaultSandboxRules, shell: true };
const toolbox = toolboxOf(toolNames, rules);
/** Process ids in these tests are those of the machine; what the sandbox adds is in `sandbox.test.ts`. */
const unenclosed = terminalCommand(rules, () => Promise.resolve({ kind: 'none', why: 'not for this test' }));

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ravenhelm-tools-'));
  workspace = new Workspace(root, 'mission');
  directory = await workspace.ensure();
});
after(() => rm(root, { recursive: true }));

const context = (changes: Partial<ToolContext> = {}): ToolContext => ({
  workspace,
  signal: new AbortController().signal,
  timeoutMs: 10_000,
  outputLimit: 64 * 1024,
  idempotencyKey: 'm/t/1/2',
  step: 2,
  ...changes,
});

const call = (tool: string, args: object, changes: Partial<ToolContext> = {}): Promise<ToolResult> =>
  (tool === unenclosed.schema.name
    ? unenclosed.prepare(JSON.stringify(args))
    : toolbox.prepare(tool, JSON.stringify(args))
  ).run(context(changes));
const command = (text: string, changes: Partial<ToolContext> = {}) =>
  call('execute_terminal_command', { command: text }, changes);

interface CommandOutput {
  exit_code: number | null;
  signal: string | null;
  timed_out: boolean;
  stdout: string;
  stderr: string;
}
const parsed = (result: ToolResult) => JSON.parse(result.output) as CommandOutput;

async function gone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      process.kill(pid, 0);
      // A zombie whose parent has not looked yet is gone as well.
      if (existsSync(`/proc/${pid}/stat`) && /\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8')))
        return true;
    } catch {
      return true;
    }
    await sleep(20);
  }
  return false;
}

test('a command runs in the workspace with a small environment and no input', async () => {
  const result = await command('pwd; cat; env | cut -d= -f1 | sort | tr "\\n" " "; node --version');
  assert.ok(result.ok, result.output);
  const [cwd, names] = parsed(result).stdout.split('\n');
  assert.equal(cwd, directory);
  const allowed = new Set([
    'PATH',
    'HOME',
    'LANG',
    'RAVENHELM_IDEMPOTENCY_KEY',
    'PWD',
    'OLDPWD',
    'SHLVL',
    '_',
  ]);
  const given = (names ?? '').replace(process.version, '').trim().split(' ');
  assert.deepEqual(
    given.filter((name) => !allowed.has(name)),
    [],
  );
  assert.ok(result.output.includes(process.version), 'node is the one that runs Ravenhelm');
});

test('argv runs without a shell', async () => {
  const result = await call('execute_terminal_command', { argv: ['printf', '%s', '$HOME; `id` *'] });
  assert.equal(parsed(result).stdout, '$HOME; `id` *');
});

test('a failed command says its exit code and the end of what it said', async () => {
  const result = await command('echo fine; echo broken >&2; exit 3');
  assert.ok(!result.ok);
  assert.deepEqual([result.code, result.message], ['tool_failed', 'exit code 3: broken']);
  assert.deepEqual(parsed(result), {
    exit_code: 3,
    signal: null,
    timed_out: false,
    sandbox: 'none: not for this test',
    stdout: 'fine\n',
    stderr: 'broken\n',
  });
  const missing = await call('execute_terminal_command', { argv: ['no-such-program-here'] });
  assert.ok(!missing.ok && /exit code 127/.test(missing.message), missing.output);
});

test('a timeout kills the command and its children, also those that ignore SIGTERM', {
  timeout: 10_000,
}, async () => {
  const began = performance.now();
  const result = await call('execute_terminal_command', {
    command: 'sh -c \'trap "" TERM; echo $$; sleep 60\' & sleep 60 & echo $!; wait',
    timeout_ms: 300,
  });
  assert.ok(!result.ok);
  assert.deepEqual([result.code, parsed(result).timed_out], ['timeout', true]);
  assert.ok(performance.now() - began < 4_000);
  const pids = parsed(result).stdout.trim().split('\n').map(Number);
  assert.equal(pids.length, 2);
  for (const pid of pids) assert.ok(await gone(pid), `${pid} is gone`);
});

test('what a command leaves behind is killed when it ends', { timeout: 5_000 }, async () => {
  const result = await command('sleep 60 & echo $!');
  assert.ok(result.ok);
  assert.ok(await gone(Number(parsed(result).stdout)));
});

test('an abort ends the command and throws its reason', { timeout: 5_000 }, async () => {
  const abort = new AbortController();
  const running = command('echo $$ > pid; exec sleep 60', { signal: abort.signal });
  while (!existsSync(join(directory, 'pid'))) await sleep(10);
  await sleep(50);
  abort.abort(new Error('enough'));
  await assert.rejects(running, { message: 'enough' });
  assert.ok(await gone(Number(await readFile(join(directory, 'pid'), 'utf8'))));
});

test('when the worker is killed, its commands die with it', { timeout: 10_000 }, async () => {
  const module = JSON.stringify(join(import.meta.dirname, 'run-command.ts'));
  const program = `import { runCommand } from ${module};
    const argv = ['/bin/sh', '-c', 'echo $$ > orphan; sleep 60 & wait'];
    const sink = { push: async () => {} };
    await runCommand(argv, { cwd: ${JSON.stringify(directory)}, env: process.env, timeoutMs: 60000, stdout: sink, stderr: sink, signal: new AbortController().signal });`;
  const worker: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: 'inherit',
    cwd: import.meta.dirname,
  });
  while (!existsSync(join(directory, 'orphan'))) await sleep(10);
  await sleep(50);
  const pid = Number(await readFile(join(directory, 'orphan'), 'utf8'));
  worker.kill('SIGKILL');
  await once(worker, 'exit');
  assert.ok(await gone(pid));
});

test('binary output fits as well', async () => {
  const result = await command('head -c 300000 /dev/zero; head -c 300000 /dev/urandom >&2');
  assert.ok(Buffer.byteLength(result.output) <= 64 * 1024);
  assert.equal(parsed(result).exit_code, 0);
});

test('property: head and tail are the beginning and the end of what came, however it was cut into chunks', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'é', 'ᚠ', '🐦'), maxLength: 40 })),
      fc.integer({ min: 2, max: 100 }),
      (chunks, limit) => {
        const kept = new HeadAndTail(limit);
        for (const chunk of chunks) kept.push(Buffer.from(chunk));
        const whole = Buffer.from(chunks.join(''));
        const { text, truncated } = kept.text(limit);
        assert.equal(kept.total, whole.length);
        assert.equal(truncated, whole.length > limit);
        if (!truncated) return assert.equal(text, whole.toString());
        const parts = /^(?<head>[^]*)\n\[\.\.\. (?<left>\d+) bytes left out \.\.\.\]\n(?<tail>[^]*)$/.exec(
          text,
        )?.groups;
        const head = Buffer.from(parts?.['head'] ?? '?');
        const tail = Buffer.from(parts?.['tail'] ?? '?');
        assert.equal(head.length + tail.length + Number(parts?.['left']), whole.length);
        assert.ok(
          head.equals(whole.subarray(0, head.length)) &&
            tail.equals(whole.subarray(whole.length - tail.length)),
        );
        assert.ok(head.length + tail.length <= limit);
      },
    ),
  );
});

test('property: no character is cut in two', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), (text, at) => {
      const bytes = Buffer.from(text);
      const cut = wholeCharacters(bytes.subarray(0, at % (bytes.length + 1)));
      assert.ok(text.startsWith(cut.toString('utf8')));
    }),
  );
});

test('property: JSON fits its limit', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (text) => {
      assert.ok(Buffer.byteLength(fitJson(200, (piece) => ({ text: text.slice(0, piece) }))) <= 200);
    }),
  );
});

test('files are read in pieces that join to the whole', async () => {
  const content = 'Muninn — 🐦‍⬛ '.repeat(50);
  await call('workspace_write', { path: 'birds.txt', content });
  let read = '';
  for (let offset = 0, more = true; more; ) {
    const result = await call('workspace_read', { path: 'birds.txt', offset, limit: 97 });
    const output = JSON.parse(result.output) as { bytes: number; content: string };
    read += output.content;
    offset += output.bytes;
    more = result.truncated;
  }
  assert.equal(read, content);
});

test('effects are known before a call runs', () => {
  const effect = (tool: string, args: object) => toolbox.prepare(tool, JSON.stringify(args)).effect;
  assert.equal(effect('execute_terminal_command', { command: 'x' }), 'once');
  assert.equal(effect('execute_terminal_command', { command: 'x', idempotent: true }), 'idempotent');
  assert.equal(effect('workspace_write', { path: 'a', content: '' }), 'idempotent');
  assert.equal(effect('workspace_write', { path: 'a', content: '', mode: 'append' }), 'once');
  assert.equal(effect('workspace_read', { path: 'a' }), 'none');
  assert.equal(effect('workspace_list', {}), 'none');
});

for (const [tool, args, message] of [
  ['execute_terminal_command', '{}', /expected either command or argv/],
  ['execute_terminal_command', '{"command":"a","argv":["b"]}', /expected either command or argv/],
  ['execute_terminal_command', '{"command":"a\\u0000b"}', /command: contains NUL/],
  ['workspace_read', '{"path":1}', /path: /],
  ['workspace_write', '{"path":"a","content":"b","mod":"append"}', /mod/],
  ['workspace_read', '{', /not JSON/],
  ['workspace_read', '[]', /arguments: /],
] as const) {
  test(`${tool} refuses ${args}`, () => {
    assert.throws(() => toolbox.prepare(tool, args), { code: 'invalid_arguments', message });
  });
}

test('a tool that the role does not have is unknown', () => {
  assert.throws(() => toolboxOf(['workspace_read']).prepare('workspace_write', '{}'), {
    code: 'tool_unknown',
  });
  assert.throws(() => toolboxOf(['bash']), { code: 'invalid_configuration' });
});

test('a refused path is told to the model', async () => {
  const result = await call('workspace_read', { path: '../x' });
  assert.ok(!result.ok);
  assert.equal(result.code, 'path_refused');
});
