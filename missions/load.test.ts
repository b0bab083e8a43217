import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#chassis/failures.ts';
import { subMission } from '#orchestrator/sub-mission.ts';
import { parseMission } from './load.ts';

const rolesOf = (names: readonly string[], timeout_ms: number | null = null) =>
  new Map(names.map((name) => [name, { limits: { timeout_ms } }]));

function problems(text: string, roles?: string[]): string[] {
  try {
    parseMission(text, 'm.yaml', roles ? { roles: rolesOf(roles) } : {});
  } catch (error) {
    assert.ok(error instanceof Failure);
    assert.equal(error.code, 'invalid_mission');
    return error.message.split('\n');
  }
  return [];
}

test('a wave needs the wave before, unless it says otherwise', () => {
  const { tasks, limits, name } = parseMission(
    `
name: Deploy it all
limits: { task_timeout: 1.5m, lease: 20s, max_in_flight: 3 }
deadline: 600000
waves:
  - - role: cert_agent
    - role: env_agent
  - - role: proxy_agent
    - { role: cache_agent, needs: [], timeout: 500ms }
`,
    'm.yaml',
  );
  assert.equal(name, 'Deploy it all');
  assert.deepEqual(limits, {
    max_in_flight: 3,
    task_timeout_ms: 90_000,
    lease_ms: 20_000,
    deadline_ms: 600_000,
    max_attempts: 0,
  });
  assert.deepEqual(
    tasks.map(({ id, needs, timeout_ms }) => [id, needs, timeout_ms]),
    [
      ['deploy-cert_agent-wave1', [], 0],
      ['deploy-env_agent-wave1', [], 0],
      ['deploy-proxy_agent-wave2', ['deploy-cert_agent-wave1', 'deploy-env_agent-wave1'], 0],
      ['deploy-cache_agent-wave2', [], 500],
    ],
  );
});

test("a task takes its own timeout, else its role's, else the mission's", () => {
  const text = `
limits: { task_timeout: 3s }
tasks:
  - { role: slow }
  - { role: slow, timeout: 500ms }
  - { role: other }
`;
  const roles = new Map([...rolesOf(['slow'], 60_000), ...rolesOf(['other'])]);
  const timeouts = (options: { roles?: typeof roles }) =>
    parseMission(text, 'm.yaml', options).tasks.map(({ timeout_ms }) => timeout_ms);
  assert.deepEqual(timeouts({ roles }), [60_000, 500, 0]);
  assert.deepEqual(timeouts({}), [0, 500, 0]);
});

test('a task has the priority that it says, else none of its own', () => {
  const { priority, tasks } = parseMission(
    'priority: high\ntasks:\n  - { role: a, priority: low }\n  - { role: a }\n',
    'm.yaml',
  );
  assert.deepEqual([priority, ...tasks.map((task) => task.priority)], ['high', 'low', '']);
  assert.throws(() => parseMission('tasks:\n  - { role: a, priority: urgent }\n', 'm.yaml'), /priority/);
});

test('the short forms of a script become tool calls', () => {
  const { tasks } = parseMission(
    JSON.stringify({
      idempotent: true,
      tasks: [
        {
          id: 'a',
          role: 'cert_agent',
          script: [
            { run: 'ls', timeout: '2s' },
            { run: 'rm x', idempotent: false, allow_failure: true },
            { write: 'a', content: 'b' },
            { write: 'a', content: 'b', mode: 'append' },
            { read: 'a' },
            { list: '.' },
            { tool: 'other', arguments: { x: [1] } },
          ],
        },
      ],
    }),
    '-',
  );
  const calls = tasks[0]?.script?.calls.map((call) => [
    call.tool,
    JSON.parse(call.arguments),
    call.allow_failure,
  ]);
  assert.deepEqual(calls, [
    ['execute_terminal_command', { command: 'ls', idempotent: true, timeout_ms: 2_000 }, false],
    ['execute_terminal_command', { command: 'rm x' }, true],
    ['workspace_write', { path: 'a', content: 'b', mode: 'overwrite' }, false],
    ['workspace_write', { path: 'a', content: 'b', mode: 'append' }, false],
    ['workspace_read', { path: 'a' }, false],
    ['workspace_list', { path: '.', recursive: false }, false],
    ['other', { x: [1] }, false],
  ]);
});

test('a brief alone is a mission; a task without a script has none', () => {
  assert.deepEqual(parseMission('{"brief":"Deploy the platform"}', '-').tasks, []);
  assert.equal(parseMission('tasks: [{role: a}]', '-').tasks[0]?.script, null);
});

test('everything wrong with the shape is said at once, with line and column', () => {
  const text = `name: Deploy
limit: {}
limits:
  lease: soon
  max_attempts: 0
waves:
  - - role: cert_agent
      descripton: x
      script:
        - run: echo hi
          timeout: 3 weeks
        - write: a.txt
        - { run: a, read: b }
        - shell: x
        - run: [1]
    - role: 5
  - role: env_agent
on_failure: hope
`;
  assert.deepEqual(problems(text), [
    'm.yaml:2:1: mission: found the unknown key limit, expected none of that name',
    'm.yaml:4:3: limits.lease: found "soon", expected a duration like "30s", "5m" or milliseconds',
    'm.yaml:5:3: limits.max_attempts: found 0, expected at least 1',
    'm.yaml:8:7: waves[0][0]: found the unknown key descripton, expected none of that name',
    'm.yaml:11:11: waves[0][0].script[0].timeout: found "3 weeks", expected a duration like "30s", "5m" or milliseconds',
    'm.yaml:12:11: waves[0][0].script[1].content: found nothing, expected a text',
    'm.yaml:13:11: waves[0][0].script[2]: found the keys run, read, expected one of the keys run, write, read, list, tool',
    'm.yaml:14:11: waves[0][0].script[3]: found the keys shell, expected one of the keys run, write, read, list, tool',
    'm.yaml:15:11: waves[0][0].script[4].run: found a list of 1 items, expected a text',
    'm.yaml:16:7: waves[0][1].role: found 5, expected a text',
    'm.yaml:17:5: waves[1]: found the keys role, expected a list',
    'm.yaml:18:1: on_failure: found "hope", expected one of fail_fast, continue, replan, compensate, suspend',
  ]);
});

test('a rule of retries that could never hold is refused where it stands', () => {
  const rules = ['{ code: tiemout, max_attempts: 2 }', '{ code: unauthorized }', '{ initial: 2s, max: 1s }'];
  assert.deepEqual(problems(`brief: b\nretries:\n${rules.map((rule) => `  - ${rule}\n`).join('')}`), [
    'm.yaml:3:7: retries[0].code: found "tiemout", expected a code of a task (docs/failures.md)',
    'm.yaml:4:7: retries[1].code: found "unauthorized", expected another code, or max_attempts 1: this one is never tried again',
    'm.yaml:5:20: retries[2].max: found "1s", expected at least the first delay, 2000 ms',
  ]);
});

test('everything wrong with the plan is said at once', () => {
  const text = `name: Deploy
waves:
  - - role: cert_agent
    - role: cert_agent
    - { role: nobody, needs: [x] }
    - { role: env_agent, id: a, needs: [b] }
    - { role: env_agent, id: b, needs: [a] }
`;
  assert.deepEqual(problems(text, ['cert_agent', 'env_agent']), [
    'm.yaml:4:7: waves[0][1].id: found deploy-cert_agent-wave1, expected an id of its own; line 3 has it too',
    'm.yaml:5:9: waves[0][2].role: found nobody, expected one of cert_agent, env_agent',
    'm.yaml:5:31: waves[0][2].needs[0]: found x, expected the id of a task of this mission',
    'm.yaml:6:33: waves[0][3].needs: found the cycle a -> b -> a, expected none',
  ]);
});

for (const [text, message] of [
  ['', /^m\.yaml:1:1: mission: found null, expected a mapping$/],
  ['{}', /^m\.yaml:1:1: mission: found neither tasks, waves nor a brief, expected one of them$/],
  ['{"name": "a"', /^m\.yaml:1:\d+: not YAML or JSON: /],
  ['name: a\nname: b\nbrief: c', /^m\.yaml:2:1: not YAML or JSON: Map keys must be unique$/],
  [
    'brief: a\ntasks: [{role: x}]\nwaves: [[{role: x}]]',
    /^m\.yaml:2:1: tasks: found a list of 1 items, expected either waves or tasks$/,
  ],
  ['brief: &a [*a]', /^m\.yaml:1:\d+: /],
  ['x'.repeat(1_000_000), /found 1000000 bytes, expected at most 900000/],
] as const) {
  test(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.match(problems(text).join('\n'), message);
  });
}

test('property: whatever the text, it is a mission or an error that names a line', () => {
  const word = fc.constantFrom(
    'name',
    'waves',
    'tasks',
    ':',
    '-',
    ' ',
    '\n',
    '  ',
    '[',
    ']',
    '{',
    '}',
    'role',
    'script',
    'run',
    '1',
    '"',
    '&a',
    '*a',
    '!!x',
    '|',
    '#',
    ',',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      for (const line of problems(words.join(''))) assert.match(line, /^m\.yaml:\d+:\d+: /);
    }),
    { numRuns: 500 },
  );
});

test('the example mission is one', () => {
  const file = join(import.meta.dirname, 'deploy-platform.yaml');
  const { tasks } = parseMission(readFileSync(file, 'utf8'), file);
  assert.equal(tasks.length, 12);
  assert.equal(tasks[0]?.id, 'deploy-cert_agent-wave1');
  assert.equal(tasks.at(-1)?.id, 'deploy-hlidskjalf_agent-wave5');
});

test('a mission within a mission says what the orchestrator reads of one', () => {
  const { tasks } = parseMission(
    [
      'tasks:',
      '  - id: inner',
      '    role: orchestrator',
      '    mission:',
      '      tasks:',
      '        - { id: a, role: x, priority: high, compensation: { description: take it back } }',
    ].join('\n'),
    'm.yaml',
  );
  const [inner] = subMission({ id: 'inner', description: '', mission: tasks[0]?.mission ?? '' }).tasks;
  assert.deepEqual(
    [inner?.id, inner?.priority, inner?.compensation?.description],
    ['a', 'high', 'take it back'],
  );
});
