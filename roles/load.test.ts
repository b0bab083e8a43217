import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#chassis/failures.ts';
import { toolboxOf } from '#worker/tools/toolbox.ts';
import { loadRoles, parseRole } from './load.ts';

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
      assert.match(error.message, /^roles\/a\.md:2: name: expected lower-case/m);
      assert.match(error.message, /^roles\/a\.md:5: limits\.max_steps: /m);
      assert.match(error.message, /^roles\/a\.md:6: limits\.speed: /m);
      assert.match(error.message, /^roles\/a\.md:7: tools: /m);
      assert.match(error.message, /^roles\/a\.md:9: sandbox\.shell: /m);
      return true;
    },
  );
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
