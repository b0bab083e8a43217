/** Output is bounded while it is read, and what does not fit into a result is in the workspace. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { defaultSandboxRules } from '#roles/sandbox-front-matter.ts';
import { Workspace } from '#worker/workspace.ts';
import { Capture, FILE_LIMIT, type OutputFile } from './capture.ts';
import { terminalCommand } from './execute-terminal-command.ts';
import { HeadAndTail } from './output.ts';
import { defineTool, type ToolContext } from './tool.ts';
import { workspaceRead } from './workspace-read.ts';

let root: string;
let workspace: Workspace;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ravenhelm-capture-'));
  workspace = new Workspace(root, 'mission');
});
after(() => rm(root, { recursive: true }));

const LIMIT = 64 * 1024;
let calls = 0;
const context = (): ToolContext => ({
  workspace,
  signal: new AbortController().signal,
  timeoutMs: 20_000,
  outputLimit: LIMIT,
  idempotencyKey: `m/t/1/${++calls}`,
  step: 2,
});

interface Output {
  stdout: string;
  stderr: string;
  stdout_file?: OutputFile;
  stderr_file?: OutputFile;
}
async function run(argv: string[]): Promise<Output> {
  const tool = terminalCommand(defaultSandboxRules);
  const result = await tool.prepare(JSON.stringify({ argv })).run(context());
  assert.ok(Buffer.byteLength(result.output) <= LIMIT);
  const output = JSON.parse(result.output) as Output;
  assert.equal(result.truncated, output.stdout_file !== undefined || output.stderr_file !== undefined);
  return output;
}
const inWorkspace = (path: string) => join(workspace.directory, path);

test('a gigabyte in one line: neither memory nor time', { timeout: 30_000 }, async () => {
  const held = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const began = held();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, held());
  }, 10);
  const { stdout_file } = await run(['head', '-c', '1G', '/dev/zero']);
  clearInterval(watch);
  // The chunks that were read are garbage, which is collected at about 64 MiB.
  assert.ok(most - began < 160 * 2 ** 20, `${Math.round((most - began) / 2 ** 20)} MiB more`);
  assert.deepEqual([stdout_file?.bytes, stdout_file?.complete], [FILE_LIMIT, false]);
  assert.equal((await stat(inWorkspace(stdout_file?.path ?? ''))).size, FILE_LIMIT);
});

test('what does not fit is whole in the workspace, and read on there', async () => {
  const program =
    'for (let i = 0; i < 40000; i++) { console.log("line " + i); if (i % 4 === 0) console.error("error " + i); }';
  const { stdout, stdout_file, stderr_file } = await run([process.execPath, '-e', program]);
  assert.match(stdout, /^line 0\n[^]*\[\.\.\. \d+ bytes left out \.\.\.\][^]*line 39999\n$/);
  assert.ok(stdout_file?.complete && stderr_file?.complete);
  const whole = await readFile(inWorkspace(stdout_file.path), 'utf8');
  assert.equal(whole, Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join(''));
  assert.match(await readFile(inWorkspace(stderr_file.path), 'utf8'), /^error 0\n[^]*\nerror 39996\n$/);
  const call = workspaceRead.prepare(JSON.stringify({ path: stdout_file.path, offset: 200_000, limit: 100 }));
  const piece = JSON.parse((await call.run(context())).output) as { content: string };
  assert.equal(piece.content, whole.slice(200_000, 200_100));
});

test('output that fits leaves no file, output that nearly fits does', async () => {
  assert.equal((await run(['head', '-c', '20000', '/dev/urandom'])).stdout_file, undefined);
  const { stdout_file } = await run([process.execPath, '-e', 'console.log("x".repeat(60000))']);
  assert.deepEqual([stdout_file?.bytes, stdout_file?.complete], [60_001, true]);
});

test('bytes that are no text, NUL and escapes fit as well, and are whole in the file', async () => {
  const program =
    'process.stdout.write(Buffer.alloc(300000, Buffer.from([0, 0xff, 0xc3, 0x1b, 0x5b, 0xf0, 0x9f])))';
  const { stdout, stdout_file } = await run([process.execPath, '-e', program]);
  assert.ok(stdout.isWellFormed());
  const whole = await readFile(inWorkspace(stdout_file?.path ?? ''));
  assert.ok(whole.equals(Buffer.alloc(300_000, Buffer.from([0, 0xff, 0xc3, 0x1b, 0x5b, 0xf0, 0x9f]))));
});

test('an output file cannot be led out of the workspace, and is no reason to fail', async () => {
  const other = new Workspace(root, 'linked');
  await other.ensure();
  await symlink('../..', join(other.directory, '.ravenhelm'));
  const capture = new Capture({ limit: 10, workspace: other, path: '.ravenhelm/outputs/x.txt' });
  await capture.push(Buffer.alloc(100));
  await capture.end();
  assert.equal(capture.file, null);
  assert.equal(capture.kept.total, 100);
});

test('any tool that says too much is passed by reference', async () => {
  const talker = defineTool({
    name: 'talk',
    description: 'Talks.',
    input: z.strictObject({}),
    effect: () => 'none',
    run: () => Promise.resolve({ ok: true, output: 'ᚠ'.repeat(100_000), truncated: false }),
  });
  const result = await talker.prepare('{}').run(context());
  assert.ok(result.ok && result.truncated && Buffer.byteLength(result.output) <= LIMIT);
  const { output, output_file } = JSON.parse(result.output) as { output: string; output_file: OutputFile };
  assert.match(output, /^ᚠ+\n\[\.\.\. \d+ bytes left out \.\.\.\]\nᚠ+$/);
  assert.equal(await readFile(inWorkspace(output_file.path), 'utf8'), 'ᚠ'.repeat(100_000));
});

test('property: what is kept is the beginning and the end, in as many bytes as there may be', () => {
  const chunk = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 3 }));
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 30 }), fc.integer({ min: 2, max: 100 }), (chunks, limit) => {
      const output = new HeadAndTail(limit);
      for (const each of chunks) output.push(Buffer.from(each));
      const whole = Buffer.concat(chunks);
      const expected =
        whole.length <= limit
          ? whole
          : Buffer.concat([
              whole.subarray(0, Math.floor(limit / 2)),
              whole.subarray(whole.length - Math.ceil(limit / 2)),
            ]);
      assert.equal(output.total, whole.length);
      assert.ok(output.kept.equals(expected));
    }),
  );
});

test('a million chunks of one byte hold no more than one chunk of a million', () => {
  const output = new HeadAndTail(LIMIT);
  const began = process.memoryUsage();
  const byte = Buffer.from('x');
  for (let i = 0; i < 1_000_000; i++) output.push(byte);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  assert.ok(heapUsed + arrayBuffers - began.heapUsed - began.arrayBuffers < 32 * 2 ** 20);
  assert.equal(output.kept.length, LIMIT);
});
