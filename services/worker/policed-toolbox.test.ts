import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseRole } from '#roles/load.ts';
import { defaultSandboxRules } from '#roles/sandbox-front-matter.ts';
import { hashOfCall } from './call-hash.ts';
import { policed } from './policed-toolbox.ts';
import { toolboxOf, toolNames } from './tools/toolbox.ts';
import { Workspace } from './workspace.ts';

function roleOf(policy: readonly object[]) {
  const front = `name: a\ndescription: b\ntools: ${JSON.stringify(toolNames)}\npolicy: ${JSON.stringify(policy)}`;
  return parseRole(`---\n${front}\n---\nDo it.`, 'a.md');
}

test('without a policy the toolbox is as it was', () => {
  const plain = toolboxOf(toolNames, { ...defaultSandboxRules, shell: true });
  const toolbox = policed(plain, roleOf([]));
  assert.deepEqual([toolbox.hash, toolbox.schemas], [plain.hash, plain.schemas]);
  assert.equal(toolbox.prepare('workspace_read', '{"path":"a"}').ask, undefined);
});

test('a denied call is unauthorized with the reason, and what can never be allowed is not shown', () => {
  const plain = toolboxOf(toolNames, { ...defaultSandboxRules, shell: true });
  const toolbox = policed(
    plain,
    roleOf([
      { tool: 'workspace_write', when: { path: 'public/*' }, then: 'allow' },
      { tool: 'workspace_write', then: 'deny', reason: 'write to public/ only' },
      { tool: 'execute_terminal_command', then: 'deny' },
    ]),
  );
  const names = toolbox.schemas.map(({ name }) => name);
  assert.deepEqual(names, ['workspace_read', 'workspace_write', 'workspace_list']);
  assert.notEqual(toolbox.hash, plain.hash);
  assert.equal(toolbox.prepare('workspace_write', '{"path":"public/a","content":""}').effect, 'idempotent');
  const denied = { code: 'unauthorized', message: 'write to public/ only' };
  assert.throws(() => toolbox.prepare('workspace_write', '{"path":"a","content":""}'), denied);
  assert.throws(() => toolbox.prepare('execute_terminal_command', '{"command":"ls"}'), {
    code: 'unauthorized',
  });
  assert.throws(() => toolbox.prepare('workspace_write', '{'), { code: 'invalid_arguments' });
});

test('a call to ask about does nothing without an answer, and is itself when approved', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'ravenhelm-policed-'));
  t.after(() => rm(root, { recursive: true }));
  const workspace = new Workspace(root, 'm');
  const toolbox = policed(
    toolboxOf(toolNames, { ...defaultSandboxRules, shell: true }),
    roleOf([{ tool: 'workspace_write', then: 'ask', expires: '5m' }]),
  );
  const call = toolbox.prepare('workspace_write', '{"content":"x","path":"a"}');
  const context = {
    workspace,
    signal: new AbortController().signal,
    timeoutMs: 1_000,
    outputLimit: 1_000,
    idempotencyKey: 'k',
    step: 2,
  };
  const refused = await call.run(context);
  assert.ok(!refused.ok && refused.code === 'unauthorized', JSON.stringify(refused));
  assert.deepEqual([call.effect, await readdir(await workspace.ensure())], ['none', []]);
  assert.equal(call.ask?.expires_ms, 300_000);
  // The defaults are part of what is approved.
  assert.equal(call.ask.hash, hashOfCall('workspace_write', '{"path":"a","content":"x","mode":"overwrite"}'));
  assert.equal(call.ask.approved.effect, 'idempotent');
  assert.ok((await call.ask.approved.run(context)).ok);
  assert.deepEqual(await readdir(await workspace.ensure()), ['a']);
});
