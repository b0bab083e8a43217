import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { scrubber } from '#chassis/secrets.ts';
import { handOffIn } from '#worker/handed-off.ts';
import type { SaidReport } from '#worker/report.ts';
import type { Speaker } from '#worker/speaker.ts';
import { Workspace } from '#worker/workspace.ts';
import { squadToolNames, squadTools } from './squad.ts';
import { toolboxOf } from './toolbox.ts';

const secret = 'hunter2-hunter2';
const secrets = scrubber([{ name: 'DB_PASSWORD', value: secret }]);

/** The tools of one task of cert_agent, and what it has said. */
function given(listed: readonly string[] = squadToolNames) {
  const said: SaidReport[] = [];
  const speaker: Speaker = {
    role: 'cert_agent',
    scrub: secrets.text,
    say: (report, signal) => {
      signal.throwIfAborted();
      said.push(report);
      return Promise.resolve();
    },
  };
  const toolbox = toolboxOf(listed, undefined, { named: squadTools(speaker, listed) });
  const call = (tool: string, args: object, signal = new AbortController().signal) =>
    toolbox.prepare(tool, JSON.stringify(args)).run({
      workspace: new Workspace('/nowhere', 'm'),
      signal,
      timeoutMs: 1_000,
      outputLimit: 64 * 1024,
      idempotencyKey: 'm/t/1/4',
      step: 4,
    });
  return { said, toolbox, call };
}

describe('the tools by which agents speak to each other', () => {
  test('a role has those that its file lists, and no other', () => {
    const { toolbox } = given(['emit_event', 'hand_off']);
    assert.deepEqual(
      toolbox.schemas.map(({ name }) => name),
      ['emit_event', 'hand_off'],
    );
    assert.throws(() => toolbox.prepare('share_context', '{}'), { code: 'tool_unknown' });
    assert.equal(squadToolNames.length, 7);
    for (const { description, parameters } of given().toolbox.schemas) {
      assert.ok(description.length > 20);
      assert.equal(parameters['additionalProperties'], false);
    }
  });

  for (const [tool, args, event_type, payload, output] of [
    [
      'record_decision',
      { decision: 'EC keys', reasons: ['small', 'fast'], alternatives: ['RSA'] },
      'decision_recorded',
      { decision: 'EC keys', reasons: ['small', 'fast'], alternatives: ['RSA'], step: 4 },
      { recorded: true },
    ],
    [
      'record_decision',
      { decision: 'EC keys', reasons: ['small'] },
      'decision_recorded',
      { decision: 'EC keys', reasons: ['small'], alternatives: [], step: 4 },
      { recorded: true },
    ],
    [
      'save_checkpoint',
      { name: 'keys made', content: 'two of three' },
      'checkpoint_created',
      { name: 'keys made', content: 'two of three', content_hash: hash('sha256', 'two of three'), step: 4 },
      { name: 'keys made', content_hash: hash('sha256', 'two of three') },
    ],
    [
      'share_context',
      { scope: 'style', content: 'Tabs.' },
      'context_synced',
      { scope: 'style', content: 'Tabs.', content_hash: hash('sha256', 'Tabs.'), step: 4 },
      { scope: 'style', content_hash: hash('sha256', 'Tabs.') },
    ],
    [
      'provide_dependency',
      { name: 'api.design', value: 'GET /' },
      'dependency_resolved',
      { dependency: 'api.design', value: 'GET /', step: 4 },
      { provided: 'api.design' },
    ],
    [
      'emit_event',
      { name: 'ApiDesigned', topic: 'api.design', severity: 'warning', data: { story: { id: 7 } } },
      'event_emitted',
      {
        name: 'ApiDesigned',
        topic: 'api.design',
        severity: 'warning',
        data: '{"story":{"id":7}}',
        step: 4,
        subscription: '',
        trigger: '',
        hops: 0,
      },
      { emitted: 'ApiDesigned' },
    ],
    [
      'emit_event',
      { name: 'Done' },
      'event_emitted',
      {
        name: 'Done',
        topic: '',
        severity: 'info',
        data: '{}',
        step: 4,
        subscription: '',
        trigger: '',
        hops: 0,
      },
      { emitted: 'Done' },
    ],
  ] as const) {
    test(`${tool} ${JSON.stringify(args)} is the report ${event_type}`, async () => {
      const { call, said, toolbox } = given();
      const result = await call(tool, args);
      assert.deepEqual(said, [{ event_type, payload }]);
      assert.ok(result.ok);
      assert.deepEqual(JSON.parse(result.output), output);
      assert.equal(toolbox.prepare(tool, JSON.stringify(args)).effect, 'idempotent');
    });
  }

  const long = (bytes: number) => 'ß'.repeat(bytes / 2);
  for (const [tool, args, message] of [
    ['record_decision', { decision: 'x', reasons: [] }, /^record_decision: reasons: /],
    ['record_decision', { decision: '', reasons: ['y'] }, /decision: /],
    ['record_decision', { decision: 'x', reasons: Array(11).fill('y') }, /reasons: /],
    [
      'save_checkpoint',
      { name: 'x', content: long(8_194) },
      /content: expected at most 8192 bytes.*workspace/,
    ],
    ['share_context', { scope: 'x', content: long(2_050) }, /content: expected at most 2048 bytes/],
    ['share_context', { scope: 'a b', content: '' }, /scope: expected a name like/],
    ['provide_dependency', { name: 'x', value: long(4_098) }, /value: expected at most 4096 bytes/],
    ['provide_dependency', { name: 'a/b', value: '' }, /name: expected a name like/],
    ['require_dependency', { name: '', reason: 'y' }, /name: expected a name like/],
    ['require_dependency', { name: 'x' }, /reason: /],
    ['hand_off', { role: '../etc', reason: 'y' }, /role: expected the name of a role/],
    ['hand_off', { role: 'x', reason: 'y', context: long(7_170) }, /context: expected at most 7168 bytes/],
    ['emit_event', { name: 'task_completed' }, /name: expected a name of your own: the ledger has events/],
    ['emit_event', { name: 'mission_failed' }, /name: expected a name of your own/],
    ['emit_event', { name: '*' }, /name: expected a name like ApiDesigned/],
    ['emit_event', { name: 'x', topic: 'a..b' }, /topic: /],
    ['emit_event', { name: 'x', severity: 'fatal' }, /severity: /],
    ['emit_event', { name: 'x', data: { y: long(8_190) } }, /data: expected at most 8192 bytes/],
    ['emit_event', { name: 'x', data: 'text' }, /data: /],
    ['emit_event', { name: 'x', trigger: 'm:1' }, /Unrecognized key/],
  ] as const) {
    test(`${tool} refuses ${JSON.stringify(args).slice(0, 60)}`, () => {
      const { toolbox, said } = given();
      assert.throws(() => toolbox.prepare(tool, JSON.stringify(args)), {
        code: 'invalid_arguments',
        message,
      });
      assert.deepEqual(said, []);
    });
  }

  test('what is as long as it may be is taken', () => {
    const { toolbox } = given();
    for (const [tool, args] of [
      ['save_checkpoint', { name: 'x', content: long(8_192) }],
      ['share_context', { scope: 'x', content: long(2_048) }],
      ['provide_dependency', { name: 'x', value: long(4_096) }],
      ['hand_off', { role: 'x', reason: 'y', context: long(7_168) }],
    ] as const) {
      toolbox.prepare(tool, JSON.stringify(args));
    }
  });

  test('what is kept is without secrets, and its hash is that of what is kept', async () => {
    const { call, said } = given();
    await call('save_checkpoint', { name: 'x', content: `login ${secret}` });
    const [report] = said;
    assert.ok(report?.event_type === 'checkpoint_created');
    assert.equal(report.payload.content, 'login [secret:DB_PASSWORD]');
    assert.equal(report.payload.content_hash, hash('sha256', report.payload.content));
    // The mark is longer than what it stands for, and what is sent still keeps to the limit.
    const wide = await call('share_context', { scope: 'x', content: `${secret} `.repeat(128) });
    assert.ok(!wide.ok);
    assert.deepEqual([wide.code, said.length], ['invalid_arguments', 1]);
  });

  test('hand_off says nothing by itself: its outcome is what the attempt ends with', async () => {
    const { call, said } = given();
    const result = await call('hand_off', {
      role: 'database_agent',
      context: `use ${secret}`,
      reason: 'it is SQL',
    });
    assert.deepEqual(said, []);
    assert.ok(result.ok);
    assert.deepEqual(handOffIn(result.output), {
      to_role: 'database_agent',
      context: 'use [secret:DB_PASSWORD]',
      reason: 'it is SQL',
    });
    assert.throws(() => handOffIn('{"to_role":"x"}'), { code: 'ledger_broken' });
  });

  test('hand_off to the role that has the task is refused', async () => {
    const result = await given().call('hand_off', { role: 'cert_agent', reason: 'x' });
    assert.ok(!result.ok);
    assert.equal(result.code, 'invalid_arguments');
    assert.match(result.message, /found cert_agent, which has the task already/);
  });

  test('require_dependency names what it waits for before it runs, and never runs', () => {
    const { toolbox } = given();
    const call = toolbox.prepare('require_dependency', '{"name":"api","reason":"to call it"}');
    assert.deepEqual(call.requires, { dependency: 'api', reason: 'to call it' });
  });

  test('a call that is aborted while it is said throws: nobody knows whether it was heard', async () => {
    const { call } = given();
    const aborted = AbortSignal.abort(new Error('killed'));
    await assert.rejects(call('emit_event', { name: 'x' }, aborted), { message: 'killed' });
  });
});
