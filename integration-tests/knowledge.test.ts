/** What one worker's task has shared, another worker's task finds; and the tools of a role are those of its file. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { readTopic } from '#chassis/reader.ts';
import { type Namespace, openNamespace, scriptedTask } from './harness.ts';

function writeRole(space: Namespace, name: string, front: object): void {
  const whole = { name, description: 'a role of the tests', ...front };
  const lines = Object.entries(whole).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  writeFileSync(join(space.folder, 'roles', `${name}.md`), `---\n${lines.join('\n')}\n---\nDo it.\n`);
}

const script = (calls: readonly (readonly [tool: string, args: object, allow_failure?: boolean])[]) => ({
  calls: calls.map(([tool, args, allow_failure = false]) => ({
    tool,
    arguments: JSON.stringify(args),
    allow_failure,
  })),
  answer: '',
});

async function resultOf(space: Namespace, mission: string, task: string): Promise<string> {
  const end = await space.facts.end(mission);
  const all = space.facts.of(mission).map(({ event_type, payload }) => ({ event_type, payload }));
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(all));
  for (const fact of space.facts.of(mission)) {
    if (fact.event_type === 'task_completed' && fact.payload.task_id === task) return fact.payload.result;
  }
  return assert.fail(`${task} did not complete`);
}

test('what a task shares is found by the next one, in another worker, and by a worker that starts later', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['teacher', 'student'], partitions: 1 });
  writeRole(space, 'teacher', { tools: ['share_insight'] });
  writeRole(space, 'student', { tools: ['find_insights'] });
  const only = (role: string) => ({ args: ['--roles', role] });
  await space.start('orchestrator');
  const [, student] = await Promise.all([
    space.start('worker', only('teacher')),
    space.start('worker', only('student')),
  ]);
  const find = script([['find_insights', { pattern: 'infra.**', words: 'elliptic keys' }]]);
  const first = await space.submit({
    tasks: [
      scriptedTask({
        id: 'share',
        role: 'teacher',
        script: script([
          ['share_insight', { pattern: 'infra.tls.keys', insight: 'Keys are RSA.', tags: ['keys'] }],
          ['share_insight', { pattern: 'infra.tls.keys', insight: 'Keys are elliptic.' }],
          ['share_insight', { pattern: 'infra.dns', insight: 'Names end in .test.' }],
          ['share_insight', { pattern: 'other.keys', insight: 'Elliptic keys elsewhere.' }],
        ]),
      }),
      scriptedTask({ id: 'find', role: 'student', needs: ['share'], script: find }),
    ],
  });
  interface Found {
    complete: boolean;
    insights: { pattern: string; insight: string; shared_by: string; mission: string }[];
  }
  const check = (result: string) => {
    const { complete, insights } = JSON.parse(result) as Found;
    assert.ok(complete);
    assert.deepEqual(
      insights.map(({ pattern, insight, shared_by, mission }) => [pattern, insight, shared_by, mission]),
      [['infra.tls.keys', 'Keys are elliptic.', 'teacher', first]],
    );
  };
  check(await resultOf(space, first, 'find'));

  await student.stop();
  assert.equal(await student.exited, 0);
  await space.start('worker', only('student'));
  const later = await space.submit({ tasks: [scriptedTask({ id: 'find', role: 'student', script: find })] });
  check(await resultOf(space, later, 'find'));

  const keys: string[] = [];
  const { kafka, topics } = space.context;
  await readTopic({
    kafka,
    topic: topics.knowledge,
    prefix: space.prefix,
    until: 'end',
    signal: AbortSignal.timeout(20_000),
    each: ({ message }) => void keys.push(message.key?.toString() ?? ''),
  });
  assert.deepEqual(keys.sort(), ['infra.dns', 'infra.tls.keys', 'infra.tls.keys', 'other.keys']);
});

test('a role has the tools of its MCP server, as far as its policy allows them', {
  timeout: 90_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['caller'], partitions: 1 });
  const program = resolve(import.meta.dirname, '..', 'services/worker/tools/mcp-test-server.ts');
  writeRole(space, 'caller', {
    tools: ['workspace_read'],
    mcp: [{ name: 'test', command: [process.execPath, program] }],
    policy: [{ tool: 'mcp__test__echo', when: { text: 'hello*' }, then: 'allow' }],
  });
  await space.start('orchestrator');
  const worker = await space.start('worker');
  const mission = await space.submit({
    tasks: [
      scriptedTask({
        id: 'denied',
        role: 'caller',
        max_attempts: 1,
        script: script([['mcp__test__die', {}]]),
      }),
    ],
  });
  await space.facts.end(mission);
  const failed = space.facts.of(mission).find((fact) => fact.event_type === 'task_failed');
  assert.match(
    failed?.event_type === 'task_failed' ? failed.payload.message : '',
    /no rule of the role allows mcp__test__die/,
  );
  const again = await space.submit({
    tasks: [
      scriptedTask({
        id: 'allowed',
        role: 'caller',
        script: script([
          ['mcp__test__echo', { text: 'bye' }, true],
          ['mcp__test__echo', { text: 'hello there' }],
        ]),
      }),
    ],
  });
  assert.deepEqual(JSON.parse(await resultOf(space, again, 'allowed')), {
    server: 'test',
    content: [{ type: 'text', text: 'hello there' }],
  });
  await worker.stop();
  assert.equal(await worker.exited, 0);
});
