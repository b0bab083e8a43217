/** Real MCP servers as child processes, over stdio and over HTTP, and what may go wrong with them. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseRole } from '#roles/load.ts';
import type { McpServer } from '#roles/mcp-front-matter.ts';
import { type Mcp, openMcp } from '#worker/tools/mcp.ts';
import { mcpLimits } from '#worker/tools/mcp-connection.ts';
import type { Tool, ToolContext, ToolResult } from '#worker/tools/tool.ts';
import { toolboxOf } from '#worker/tools/toolbox.ts';
import { Workspace } from '#worker/workspace.ts';

const program = join(import.meta.dirname, '../services/worker/tools/mcp-test-server.ts');
const limits = { ...mcpLimits, openMs: 5_000, pingMs: 200, pauseMs: 0 };

let root: string;
let workspace: Workspace;
let http: ChildProcess;
let url: string;
/** One server over each transport, kept for all tests that leave it alive. */
let both: readonly { readonly over: string; readonly mcp: Mcp; readonly tools: ReadonlyMap<string, Tool> }[];
const opened: Mcp[] = [];
const warnings: object[] = [];

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ravenhelm-mcp-'));
  workspace = new Workspace(root, 'mission');
  http = spawn(process.execPath, [program, '--http'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const stdio = open([{ name: 'test', command: [process.execPath, program], env: ['SEEN'] }]);
  const listed = stdio.tools(unaborted());
  const [port] = (await once(http.stdout ?? http, 'data')) as [Buffer];
  url = `http://127.0.0.1:${port.toString().trim()}/mcp`;
  const remote = open([{ name: 'test', url, headers_from_env: { 'X-Key': 'KEY' } }]);
  both = [
    { over: 'stdio', mcp: stdio, tools: byName(await listed) },
    { over: 'http', mcp: remote, tools: byName(await remote.tools(unaborted())) },
  ];
});
after(async () => {
  await Promise.all(opened.map((mcp) => mcp.close()));
  http.stdin?.end();
  await once(http, 'exit');
  await rm(root, { recursive: true });
});

const unaborted = () => new AbortController().signal;
const byName = (tools: readonly Tool[]) => new Map(tools.map((tool) => [tool.schema.name, tool]));

function servers(entries: readonly object[]): readonly McpServer[] {
  return parseRole(`---\nname: a\ndescription: b\nmcp: ${JSON.stringify(entries)}\n---\nDo it.`, 'a.md').mcp;
}

function open(entries: readonly object[], changes: Partial<typeof limits> = {}): Mcp {
  const log = { info: () => {}, warn: (fields: object) => void warnings.push(fields) };
  const env = { PATH: process.env['PATH'], SEEN: 'yes', KEY: 'k', HIDDEN: 'no' };
  const mcp = openMcp(servers(entries), { env, log, signal: unaborted() }, { ...limits, ...changes });
  opened.push(mcp);
  return mcp;
}

function call(
  tools: ReadonlyMap<string, Tool>,
  name: string,
  args: object = {},
  changes: Partial<ToolContext> = {},
): Promise<ToolResult> {
  const context = {
    workspace,
    signal: unaborted(),
    timeoutMs: 5_000,
    outputLimit: 4_096,
    idempotencyKey: 'm/t/1/2',
    step: 2,
  };
  const tool = tools.get(`mcp__test__${name}`);
  assert.ok(tool, `${name} is listed`);
  return tool.prepare(JSON.stringify(args)).run({ ...context, ...changes });
}
const said = (result: ToolResult) =>
  (JSON.parse(result.output) as { content: { text: string }[] }).content[0]?.text ?? '';

test('over stdio and over HTTP: calls, answers, errors', async () => {
  for (const { over, tools } of both) {
    const echoed = await call(tools, 'echo', { text: 'ᚠ “' });
    assert.deepEqual(
      JSON.parse(echoed.output),
      { server: 'test', content: [{ type: 'text', text: 'ᚠ “' }] },
      over,
    );
    const structured = await call(tools, 'structured');
    assert.deepEqual(JSON.parse(structured.output), { server: 'test', content: [], structured: { a: 1 } });
    const failed = await call(tools, 'fails');
    assert.ok(!failed.ok);
    assert.deepEqual([failed.code, failed.message], ['tool_failed', 'test: no such city']);
    assert.throws(() => tools.get('mcp__test__echo')?.prepare('{"txt":"a"}'), {
      code: 'invalid_arguments',
      message: /^mcp__test__echo: .*required property 'text'/,
    });
    const { meta } = JSON.parse(said(await call(tools, 'meta'))) as { meta: object };
    assert.deepEqual(meta, { 'ravenhelm/idempotency-key': 'm/t/1/2' });
  }
});

test('what a model is told of a tool is bounded and says whose words they are', () => {
  for (const { tools } of both) {
    const echo = tools.get('mcp__test__echo')?.schema;
    assert.match(
      echo?.description ?? '',
      /^Tool echo of the MCP server test, which describes it so: Says it again\. x{10}/,
    );
    assert.ok((echo?.description.length ?? 0) < 1_200 && JSON.stringify(echo).length < 2_000);
    assert.ok(!/[\u200b\u{E0041}]/u.test(JSON.stringify(echo)));
    assert.ok(
      !tools.has('mcp__test__broken') && !tools.has('mcp__test__wide'),
      'unusable tools are left out',
    );
  }
});

test('effects are those of the hints, unless they contradict each other or the role says otherwise', async () => {
  const effect = (tools: ReadonlyMap<string, Tool>, name: string) =>
    tools.get(`mcp__test__${name}`)?.prepare('{"text":"a"}').effect;
  const { tools } = both[1] ?? assert.fail();
  assert.deepEqual(
    ['echo', 'put', 'env', 'liar'].map((name) => effect(tools, name)),
    ['none', 'idempotent', 'once', 'once'],
  );
  const told = open([
    { name: 'test', url, effects: { echo: 'once', env: 'none' }, tools: ['echo', 'env', 'gone'] },
  ]);
  const overridden = byName(await told.tools(unaborted()));
  assert.deepEqual([...overridden.keys()], ['mcp__test__echo', 'mcp__test__env']);
  assert.deepEqual([effect(overridden, 'echo'), effect(overridden, 'env')], ['once', 'none']);
  assert.ok(warnings.some((each) => 'tool' in each && each.tool === 'gone'));
});

test('a child has no environment but what its role lists; a header comes from it', async () => {
  const [stdio, remote] = both;
  const env = JSON.parse(said(await call(stdio?.tools ?? new Map(), 'env'))) as Record<string, string>;
  // PWD is the shell's own doing.
  assert.deepEqual(
    Object.keys(env)
      .filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name))
      .sort(),
    ['PATH', 'SEEN'],
  );
  const { headers } = JSON.parse(said(await call(remote?.tools ?? new Map(), 'meta'))) as {
    headers: Record<string, string>;
  };
  assert.equal(headers['x-key'], 'k');
});

test('nothing is offered to a server that asks', async () => {
  assert.match(said(await call(both[0]?.tools ?? new Map(), 'ask')), /Method not found/);
});

test('a result that is too large is cut, and the whole of it is in the workspace', async () => {
  for (const { tools } of both) {
    const result = await call(tools, 'huge', { times: 5_000 });
    assert.ok(result.ok && result.truncated && Buffer.byteLength(result.output) <= 4_096);
    assert.match(said(result), /^(0123456789)+\d*$/);
    const { whole } = JSON.parse(result.output) as { whole: string };
    assert.ok(
      (await readFile(join(workspace.directory, whole), 'utf8')).includes('0123456789'.repeat(5_000)),
    );
  }
});

test('a picture is in the workspace and named', async () => {
  const result = await call(both[0]?.tools ?? new Map(), 'picture');
  const { content } = JSON.parse(result.output) as { content: { path: string; mime_type: string }[] };
  assert.equal(content[0]?.mime_type, 'image/png');
  const kept = await readFile(join(workspace.directory, content[0]?.path ?? ''), 'utf8');
  assert.equal(Buffer.from(kept, 'base64').toString(), 'png');
});

test('a message beyond all bounds, a death and a hang are told to the model, and the next call finds a fresh server', async () => {
  const mcp = open([{ name: 'test', command: [process.execPath, program], timeout_ms: 300 }]);
  const tools = byName(await mcp.tools(unaborted()));
  const pid = async () => (JSON.parse(said(await call(tools, 'meta', {}))) as { pid: number }).pid;
  const first = await pid();
  const died = await call(tools, 'die');
  assert.ok(!died.ok);
  assert.deepEqual(
    [died.code, /broke off.*not known/.test(died.message)],
    ['mcp_failed', true],
    died.message,
  );
  assert.ok(warnings.some((each) => 'said' in each && each.said === 'last words'));
  const second = await pid();
  assert.notEqual(second, first);
  const hung = await call(tools, 'hang', {});
  assert.ok(
    !hung.ok && /gave no answer to a call of hang in 300 ms/.test(hung.message),
    JSON.stringify(hung),
  );
  // Only this call hung: the server answers a ping, and is kept.
  assert.equal(await pid(), second);
  process.kill(second, 'SIGSTOP');
  const stuck = await call(tools, 'echo', { text: 'a' });
  assert.ok(!stuck.ok && /none to a ping; it was ended/.test(stuck.message), JSON.stringify(stuck));
  assert.throws(() => process.kill(second, 0), { code: 'ESRCH' });
  await mcp.close();
  const closed = await call(tools, 'echo', { text: 'a' });
  assert.ok(!closed.ok && closed.code === 'mcp_failed');
});

test('too large a message ends the connection, over both transports', async () => {
  for (const { tools } of both) {
    const result = await call(tools, 'huge', { times: 500_000 });
    assert.ok(!result.ok && result.code === 'mcp_failed', JSON.stringify(result).slice(0, 300));
    assert.ok((await call(tools, 'echo', { text: 'a' })).ok);
  }
});

test('an answer over HTTP that breaks off is noticed at once', async () => {
  const { tools } = both[1] ?? assert.fail();
  const began = performance.now();
  const died = await call(tools, 'die');
  assert.ok(!died.ok && /broke off/.test(died.message), JSON.stringify(died));
  assert.ok(performance.now() - began < 1_000);
});

test('an abort throws its reason at once', async () => {
  for (const { tools } of both) {
    const abort = new AbortController();
    const running = call(tools, 'hang', {}, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 30);
    await assert.rejects(running, { message: 'enough' });
  }
});

for (const [what, server, message] of [
  ['does not exist', { command: ['/no/such/program'] }, /MCP server test did not start/],
  ['ends at once', { command: ['false'] }, /did not start: .*Connection closed/],
  ['never greets', { command: ['sleep', '60'] }, /did not start: .*timed out/],
  ['speaks garbage', { command: ['sh', '-c', 'yes; sleep 60'] }, /did not start/],
  ['never ends its line', { command: ['sh', '-c', 'cat /dev/zero'] }, /did not start/],
  ['is not there', { url: 'http://127.0.0.1:1/mcp' }, /did not start: fetch failed/],
  [
    'lacks a variable',
    { command: ['true'], env: ['NOT_SET'] },
    /variable NOT_SET that its role names is not set/,
  ],
] as const) {
  test(`a server that ${what}: the attempt may be made again`, async () => {
    const mcp = open([{ name: 'test', ...server }], { openMs: 200, pauseMs: 60_000 });
    const began = performance.now();
    await assert.rejects(mcp.tools(unaborted()), { code: 'temporary_failure', message });
    assert.ok(performance.now() - began < 3_000);
    // It is not started again for every task that asks.
    const again = performance.now();
    await assert.rejects(mcp.tools(unaborted()), { code: 'temporary_failure' });
    assert.ok(performance.now() - again < 50);
    await mcp.close();
  });
}

test('a list of thousands of tools, or of more than a model takes, is refused; a part of it can be asked for', async () => {
  const list = (query: string, more: object = {}) =>
    open([{ name: 'test', url: `${url}?${query}`, ...more }]).tools(unaborted());
  await assert.rejects(list('more=3000'), {
    code: 'temporary_failure',
    message: /lists more than 1000 tools/,
  });
  await assert.rejects(list('more=130'), {
    code: 'mcp_failed',
    message: /expected at most 128: name those that the role needs/,
  });
  await assert.rejects(list('twice'), {
    code: 'mcp_failed',
    message: /two tools would have the name mcp__test__echo/,
  });
  const some = await list('more=130', { tools: ['more_7'] });
  assert.deepEqual(
    some.map(({ schema }) => schema.name),
    ['mcp__test__more_7'],
  );
});

test('a list that changes is noticed, and so is the toolbox another', async () => {
  const mcp = open([{ name: 'test', url: `${url}?changing` }]);
  const hashes: string[] = [];
  for (const number of [1, 2]) {
    const toolbox = toolboxOf(['workspace_read'], undefined, { always: await mcp.tools(unaborted()) });
    assert.equal(toolbox.schemas[0]?.name, 'workspace_read');
    assert.equal(toolbox.prepare(`mcp__test__changed_${number}`, '{}').effect, 'once');
    hashes.push(toolbox.hash);
  }
  assert.notEqual(hashes[0], hashes[1]);
  assert.ok(warnings.some((each) => 'from' in each && 'to' in each));
});

test('a list that does not change makes the same tools, and the same toolbox', async () => {
  const mcp = open([{ name: 'test', url }]);
  const [first, second] = [await mcp.tools(unaborted()), await mcp.tools(unaborted())];
  assert.equal(first[0], second[0]);
  assert.equal(
    toolboxOf([], undefined, { always: first }).hash,
    toolboxOf([], undefined, { always: second }).hash,
  );
});

test('when the worker is killed, its servers die with it, and so do their children', async () => {
  const script = `import { McpStdio } from ${JSON.stringify(join(import.meta.dirname, '../services/worker/tools/mcp-stdio.ts'))};
    const transport = new McpStdio({ name: 'x', command: ['sh', '-c', 'sleep 60 & echo $! $$ >&2; trap "" TERM; while :; do wait; done'], env: [], cwd: null }, process.env);
    await transport.start();
    const look = setInterval(() => { if (transport.said !== '') { clearInterval(look); console.log(transport.said); } }, 5);
    setInterval(() => {}, 1000);`;
  const worker = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  });
  const [line] = (await once(worker.stdout, 'data')) as [Buffer];
  const pids = line.toString().trim().split(' ').map(Number);
  assert.equal(pids.length, 2);
  worker.kill('SIGKILL');
  await once(worker, 'exit');
  const alive = async (pid: number) =>
    readFile(`/proc/${pid}/stat`, 'utf8')
      .then((stat) => !/\) Z /.test(stat))
      .catch(() => false);
  for (let tries = 0; tries < 200; tries++) {
    if (!(await Promise.all(pids.map(alive))).includes(true)) return;
    await new Promise((looked) => setTimeout(looked, 10));
  }
  assert.fail(`${pids.join(' or ')} is still alive`);
});
