import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { asFailure } from '#chassis/failures.ts';
import { loadRoles } from '#roles/load.ts';
import { parseMission } from './load.ts';
import { parseDefinitions } from './reactions-file.ts';

const root = resolve(import.meta.dirname, '..');
const roles = loadRoles();
const known = new Set(roles.keys());

const refusedBy = (parse: () => unknown): string[] => {
  try {
    parse();
  } catch (error) {
    return asFailure(error).message.split('\n');
  }
  return [];
};
const problems = (text: string) => refusedBy(() => parseMission(text, 'm.yaml', { roles }));

describe('subscriptions and aggregators of a file', () => {
  it('have short forms', () => {
    const { options } = parseMission(
      `
emit: [Begin, { name: Other, data: { a: 1 } }]
max_hops: 3
subscriptions:
  - { name: s, role: developer, on: Begin, task: { description: do it, script: [{ run: ls }], timeout: 2s } }
  - { name: w, on: { from: a, where: { x: 1, y: [1, 2], z: { gt: 2, lt: 9 }, o: { k: v } } }, pause: look }
aggregators:
  - { name: j, events: [A, A, { type: task_completed, where: { payload.task_id: t } }], timeout: 1m, on_complete: { emit: Done } }
`,
      'm.yaml',
      { roles },
    );
    assert.ok(options);
    assert.deepEqual([options.planner, options.max_hops], ['none', 3]);
    assert.deepEqual(
      options.events.map(({ name, data }) => [name, data]),
      [
        ['Begin', ''],
        ['Other', '{"a":1}'],
      ],
    );
    const [s, w] = options.subscriptions;
    assert.equal(s?.on.type, 'Begin');
    assert.deepEqual([s?.reaction.action, s?.reaction.task?.timeout_ms], ['task', 2000]);
    assert.equal(s?.reaction.task?.script?.calls[0]?.tool, 'execute_terminal_command');
    assert.equal(w?.on.source, 'a');
    assert.deepEqual(w?.on.where, [
      { path: 'x', op: 'eq', value: '1' },
      { path: 'y', op: 'in', value: '[1,2]' },
      { path: 'z', op: 'gt', value: '2' },
      { path: 'z', op: 'lt', value: '9' },
      { path: 'o', op: 'eq', value: '{"k":"v"}' },
    ]);
    assert.deepEqual([w?.reaction.action, w?.reaction.reason], ['pause', 'look']);
    const [j] = options.aggregators;
    assert.deepEqual(
      j?.events.map(({ name }) => name),
      ['A', 'A (2)', 'task_completed t'],
    );
    assert.equal(j?.timeout_ms, 60_000);
  });

  it('do not take the planner from a mission that has tasks, or names one', () => {
    const reacting = 'subscriptions: [{ name: s, on: A, emit: B }]\n';
    const plannerOf = (text: string) => parseMission(reacting + text, 'm').options?.planner;
    assert.equal(plannerOf('tasks: [{ role: a }]'), '');
    assert.equal(
      plannerOf('{ brief: do it, planner: heuristic }'.slice(2, -2).replace(', ', '\n')),
      'heuristic',
    );
    assert.equal(plannerOf('emit: [A]'), 'none');
  });

  it('are refused with everything that is wrong, each with its place', () => {
    const found = problems(`
subscriptions:
  - { name: a, on: { where: { x: 1 }, from: b, source: c }, emit: B }
  - { name: a, on: A, emit: B, pause: C }
  - { name: c, on: {}, role: nobody, task: {} }
  - { name: d, on: { type: A, where: [{ path: x, op: in, value: 1 }, { path: x, op: gt }] }, task: {} }
  - { name: e, role: developer, on: A, task: { routes: [{ when: { x: 1 }, role: wizard }] } }
aggregators:
  - { name: d, events: [{ name: n, type: A }, { name: n, type: B }], on_complete: {} }
emit: [A]
`);
    const roleNames = [...known].sort().join(', ');
    assert.deepEqual(found, [
      'm.yaml:3:39: subscriptions[0].on: found from and source, expected one of them',
      'm.yaml:4:5: subscriptions[1]: found emit and pause, expected one of task, emit and pause',
      'm.yaml:4:7: subscriptions[1].name: found a, expected a name of its own; line 3 has it too',
      'm.yaml:5:16: subscriptions[2].on: found nothing to go by, expected a type, or another filter',
      `m.yaml:5:24: subscriptions[2].role: found nobody, expected one of ${roleNames}`,
      'm.yaml:6:39: subscriptions[3].on.where: found no list for in, expected a list',
      'm.yaml:6:70: subscriptions[3].on.where: found no value for gt, expected a value',
      'm.yaml:6:94: subscriptions[3].task: found no role, expected the role that does it',
      `m.yaml:7:75: subscriptions[4].task.routes[0].role: found wizard, expected one of ${roleNames}`,
      'm.yaml:9:7: aggregators[0].name: found d, expected a name of its own; line 6 has it too',
      'm.yaml:9:49: aggregators[0].events[1].name: found n, expected a name of its own',
      'm.yaml:9:70: aggregators[0].on_complete: found no action, expected one of task, emit and pause',
    ]);
  });

  it('are refused where their shape is wrong', () => {
    assert.deepEqual(problems('subscriptions: [{ name: "a b", on: { typ: A }, most: 0, emit: B }]'), [
      'm.yaml:1:19: subscriptions[0].name: found "a b", expected letters, digits, ".", "_" and "-", at most 128',
      'm.yaml:1:38: subscriptions[0].on: found the unknown key typ, expected none of that name',
      'm.yaml:1:48: subscriptions[0].most: found 0, expected at least 1',
    ]);
  });

  it('are refused in a mission in which nothing would happen', () => {
    const idle = 'subscriptions: [{ name: s, on: A, emit: B }]\n';
    assert.match(problems(idle)[0] ?? '', /neither tasks nor events to emit/);
    assert.deepEqual(problems(`${idle}emit: [A]`), []);
    assert.deepEqual(problems(`${idle}aggregators: [{ name: j, events: [A], timeout: 1s }]`), []);
  });

  it('stand for every mission only with roles whose tasks are no missions', () => {
    const text = 'subscriptions: [{ name: s, on: A, role: orchestrator, task: {} }]';
    assert.match(
      refusedBy(() => parseDefinitions(text, 's.yaml', { roles: known }))[0] ?? '',
      /^s\.yaml:1:35: subscriptions\[0\]\.role: found orchestrator/,
    );
    assert.match(refusedBy(() => parseDefinitions('{}', 's.yaml'))[0] ?? '', /neither subscriptions nor/);
  });
});

describe('docs/reactions.md', () => {
  const text = readFileSync(join(root, 'docs', 'reactions.md'), 'utf8');
  const examples = [...text.matchAll(/```yaml\n# (mission|standing)\n([^]*?)```/g)];

  it('says of each example what it is', () => {
    assert.equal(examples.length, [...text.matchAll(/```yaml/g)].length);
    assert.ok(examples.length >= 4);
  });

  for (const [, kind, example = ''] of examples) {
    it(`has an example that is a ${kind} file: ${example.split('\n')[1]?.trim()}`, () => {
      if (kind === 'mission') parseMission(example, 'example', { roles });
      else parseDefinitions(example, 'example', { roles: known });
    });
  }
});

it('the user story is a mission without a plan', () => {
  const file = join(root, 'missions', 'user-story.yaml');
  const { tasks, options } = parseMission(readFileSync(file, 'utf8'), file, { roles });
  assert.deepEqual([tasks.length, options?.planner, options?.events.length], [0, 'none', 1]);
});
