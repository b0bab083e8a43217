import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#chassis/failures.ts';
import { toolboxOf } from '#worker/tools/toolbox.ts';
import { loadRoles, parseRole } from './load.ts';
import { retriesOfRoles } from './retries-front-matter.ts';

const squad = [
  'analyst',
  'api_designer',
  'cache_agent',
  'camina',
  'cert_agent',
  'database_agent',
  'developer',
  'docker_agent',
  'drummer',
  'env_agent',
  'events_agent',
  'frontend_developer',
  'graph_agent',
  'hlidskjalf_agent',
  'observability_agent',
  'orchestrator',
  'proxy_agent',
  'rag_agent',
  'researcher',
  'secrets_agent',
  'tester',
  'ux_designer',
];

test('the squad of twelve, the general workers, those of the user story, the tiers and the orchestrator are there, and their tools exist', () => {
  const roles = loadRoles();
  assert.deepEqual([...roles.keys()].sort(), squad);
  for (const role of roles.values()) {
    assert.equal(toolboxOf(role.tools).schemas.length, role.tools.length);
    assert.ok(role.prompt.split('\n').length >= 10, `${role.name} has a prompt`);
    assert.match(role.prompt_version, /^[0-9a-f]{12}$/);
  }
});

test('who plans or synthesizes runs no commands, and a planner writes nothing', () => {
  const roles = loadRoles();
  for (const name of ['drummer', 'camina'])
    assert.deepEqual(roles.get(name)?.tools, ['workspace_read', 'workspace_list', 'workspace_write']);
  assert.deepEqual(roles.get('orchestrator')?.tools, ['workspace_read', 'workspace_list']);
});

test('what is left out of the front matter has defaults', () => {
  const role = parseRole('---\nname: a\ndescription: b\n---\nDo it.\n', 'a.md');
  assert.deepEqual(role.limits, { max_steps: 50, timeout_ms: null, concurrency: 8 });
  assert.equal(role.model, null);
  assert.deepEqual(role.sandbox, {
    shell: false,
    network: false,
    required: false,
    memory_mb: 2_048,
    processes: 512,
    cpu_seconds: 3_600,
  });
  assert.equal(role.prompt, 'Do it.');
});

test('errors name the file, the line and what is wrong, all at once', () => {
  const text =
    '---\nname: A b\ndescription: x\nlimits:\n  max_steps: 0\n  speed: 9\ntools: bash\nsandbox:\n  shell: sure\n---\nprompt\n';
  assert.throws(
    () => parseRole(text, 'roles/a.md'),
    (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.code, 'invalid_configuration');
      assert.match(error.message, /^roles\/a\.md:2: name: found "A b", expected lower-case/m);
      assert.match(error.message, /^roles\/a\.md:5: limits\.max_steps: found 0, expected at least 1$/m);
      assert.match(error.message, /^roles\/a\.md:6: limits\.speed: found an unknown key, expected none/m);
      assert.match(error.message, /^roles\/a\.md:7: tools: found "bash", expected a list$/m);
      assert.match(error.message, /^roles\/a\.md:9: sandbox\.shell: found "sure", expected true or false$/m);
      return true;
    },
  );
});

const front = (retries: string) =>
  parseRole(`---\nname: a\ndescription: x\nretries:\n${retries}---\nDo it.\n`, 'a.md');

test('a role says how its attempts are tried again, by their code', () => {
  const role = front(
    '  - { code: timeout, max_attempts: 5, initial: 5s, max: 1m }\n  - { code: tool_failed, max_attempts: 1 }\n  - { initial: 250 }\n',
  );
  assert.deepEqual(role.retries, [
    { code: 'timeout', max_attempts: 5, initial_ms: 5_000, max_ms: 60_000 },
    { code: 'tool_failed', max_attempts: 1, initial_ms: 0, max_ms: 0 },
    { code: '', max_attempts: 0, initial_ms: 250, max_ms: 0 },
  ]);
  assert.deepEqual(parseRole('---\nname: a\ndescription: b\n---\nDo it.\n', 'a.md').retries, []);
});

test('what a role says of its retries is refused with its place, what was found and what was expected', () => {
  const rules = [
    '  - { code: tiemout }\n',
    '  - { code: safety_violation, max_attempts: 2 }\n',
    '  - { code: timeout, max_attempts: 0, initial: soon }\n',
    '  - { code: lease_lost, initial: 2s, max: 1s }\n',
    '  - { code: timeout, role: b }\n',
  ];
  assert.throws(
    () => front(rules.join('')),
    ({ message }: Error) => {
      assert.deepEqual(message.split('\n'), [
        'a.md:5: retries.0.code: found "tiemout", expected a code of a task (docs/failures.md)',
        'a.md:6: retries.1.code: found "safety_violation", expected another code, or max_attempts 1: this one is never tried again',
        'a.md:7: retries.2.max_attempts: found 0, expected at least 1',
        'a.md:7: retries.2.initial: found "soon", expected a duration like "30s", "5m" or milliseconds',
        'a.md:8: retries.3.max: found "1s", expected at least the first delay, 2000 ms',
        'a.md:9: retries.4.role: found an unknown key, expected none of that name',
      ]);
      return true;
    },
  );
  assert.throws(() => front('  - { code: timeout }\n  - { code: timeout, max: 1s }\n'), {
    message: 'a.md:6: retries.1.code: found timeout a second time, expected one rule for it',
  });
  assert.throws(() => front('  - { max: 1s }\n  - { max_attempts: 2 }\n'), {
    message: 'a.md:6: retries.1: found a second rule without a code, expected one rule for it',
  });
  assert.throws(() => front('  5\n'), { message: 'a.md:4: retries: found 5, expected a list' });
});

test('what all roles say goes with a mission, and its own limit of attempts is one for them, too', () => {
  const roles = new Map([
    ['a', { retries: front('  - { code: timeout, max_attempts: 5 }\n  - { initial: 1s }\n').retries }],
    ['b', { retries: [] }],
  ]);
  const said = (max_attempts: number) =>
    retriesOfRoles(roles, { max_attempts }).map((rule) => [rule.role, rule.code, rule.max_attempts]);
  assert.deepEqual(said(0), [
    ['a', 'timeout', 5],
    ['a', '', 0],
  ]);
  assert.deepEqual(said(2), [
    ['a', 'timeout', 2],
    ['a', '', 0],
  ]);
});

for (const [what, text, message] of [
  ['no front matter', 'Hello', /^a\.md:1: found no front matter/],
  ['broken YAML', '---\nname: [\n---\nx', /^a\.md:\d+: /],
  ['another name', '---\nname: b\ndescription: x\n---\nx', /^a\.md:2: name: found b, expected a/],
  ['no prompt', '---\nname: a\ndescription: x\n---\n', /^a\.md:\d+: found no prompt/],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseRole(text, 'a.md'), { code: 'invalid_configuration', message });
  });
}
