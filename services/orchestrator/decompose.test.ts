import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { taskSpec } from '#schemas/task-spec.ts';
import type { RoleName } from './choose-role.ts';
import { type Decomposition, decompose } from './decompose.ts';
import { goalOf } from './describe-draft.ts';
import type { DraftTask } from './draft-task.ts';
import { planFrom } from './plan.ts';
import { defaultPolicy } from './policy.ts';
import { strategies } from './strategies.ts';
import { reviews } from './verification-tasks.ts';
import { contentWords, overlap } from './words.ts';

const roles: readonly RoleName[] = [
  { name: 'researcher', description: 'Finds out what is known.' },
  { name: 'analyst', description: 'Compares and checks.' },
  { name: 'developer', description: 'Writes software.' },
  { name: 'cert_agent', description: 'Makes the certificate authority, and the keys of all services.' },
  { name: 'observability_agent', description: 'Sets up metrics, dashboards and alerts.' },
  { name: 'orchestrator', description: 'Plans TLS, monitoring, research and everything.' },
  { name: 'drummer', description: 'Brings results together.' },
  { name: 'camina' },
];

/** What `planFrom` says of the tasks, as the integrator would give them. */
const planOf = (tasks: readonly DraftTask[]) =>
  planFrom(
    tasks.map(({ id, role, description, needs }) => taskSpec({ id, role, description, needs })),
    defaultPolicy,
  );

function checkAll({ tasks, notes }: Decomposition, known: readonly RoleName[]): void {
  const names = new Set(known.map(({ name }) => name));
  const goals = tasks.map(({ description }) => contentWords(goalOf(description)));
  planOf(tasks);
  tasks.forEach((task, at) => {
    assert.match(task.id, /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
    assert.notEqual(task.id, 'plan');
    assert.ok(names.has(task.role), task.role);
    assert.ok(!['orchestrator', 'drummer', 'camina'].includes(task.role), task.role);
    assert.ok((goals[at]?.size ?? 0) > 0, `${task.id} says what to do`);
    assert.match(task.description, /\n\nYou are done when/);
    for (let other = 0; other < at; other += 1) {
      const shared = overlap(goals[at] ?? new Set(), goals[other] ?? new Set());
      assert.ok(shared < 0.6, `${tasks[other]?.id} and ${task.id} share ${shared} of their words`);
    }
  });
  assert.match(notes.at(-1) ?? '', /need models/);
}

const goalsOf = ({ tasks }: Decomposition) =>
  tasks.map(({ id, role, needs, description }) => [id, role, needs.join(' '), goalOf(description)]);

const phrases = [
  'Deploy the platform with TLS and monitoring',
  'and then',
  'build an API, write tests',
  '- docs\n- tests\n- docs',
  '1. collect data\n2. clean it\n3. clean it',
  'Research the history of ravens.',
  '写一份报告，然后翻译。',
  'with',
  ' and ',
  'test, then fix, then test',
  '\n\n',
  '!?…',
  ...reviews.map(({ goal }) => goal),
  ...strategies.flatMap(({ phases }) => phases.map(({ goal }) => goal)),
];
const anyBrief = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc
    .array(fc.oneof(fc.constantFrom(...phrases), fc.lorem({ maxCount: 6 })), { maxLength: 20 })
    .chain((words) =>
      fc.constantFrom(' ', '\n', '\n- ', '\n1. ', ', ', '; ').map((between) => words.join(between)),
    ),
);
const anyRoles = fc
  .uniqueArray(fc.constantFrom(...roles), { minLength: 1 })
  .filter((some) => some.some(({ name }) => !['orchestrator', 'drummer', 'camina'].includes(name)));

describe('decompose', () => {
  it('gives 3 to 15 tasks of any brief, or as many as are asked for, and each of them is sound', () => {
    fc.assert(
      fc.property(anyBrief, anyRoles, fc.option(fc.integer({ min: 1, max: 15 })), (brief, some, agents) => {
        const made = decompose(brief, { roles: some, ...(agents === null ? {} : { agents }) });
        const count = made.tasks.length;
        if (agents === null) assert.ok(count >= 3 && count <= 15, `${count} tasks`);
        else assert.equal(count, agents);
        checkAll(made, some);
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same plan whatever the order of the roles', () => {
    fc.assert(
      fc.property(anyBrief, fc.shuffledSubarray([...roles], { minLength: roles.length }), (brief, shuffled) =>
        assert.deepEqual(
          decompose(brief, { roles: shuffled, agents: 7 }),
          decompose(brief, { roles, agents: 7 }),
        ),
      ),
      { numRuns: 50 },
    );
  });

  it('makes a task of each part that the brief names, for the role whose words it has', () => {
    const made = decompose('Deploy the platform with TLS and monitoring', { roles });
    assert.equal(made.strategy, 'deployment');
    const parts = 'set-up-deploy-platform set-up-tls set-up-monitoring';
    assert.deepEqual(goalsOf(made).slice(0, 5), [
      [
        'prepare',
        'researcher',
        '',
        'List what has to be there before: versions, names, ports, addresses, rights, free space.',
      ],
      ['set-up-deploy-platform', 'developer', 'prepare', 'Deploy the platform'],
      ['set-up-tls', 'cert_agent', 'prepare', 'Set up: TLS'],
      ['set-up-monitoring', 'observability_agent', 'prepare', 'Set up: monitoring'],
      [
        'start',
        'developer',
        parts,
        'Start it step by step, and stop at the first step whose health check does not pass.',
      ],
    ]);
    assert.match(made.tasks[2]?.compensation?.description ?? '', /^Remove or restore .*: TLS\.$/);
  });

  it('lets a step follow the one before where the brief says so', () => {
    const needsOf = (brief: string) =>
      decompose(brief, { roles })
        .tasks.filter(({ id }) => id.startsWith('build'))
        .map(({ id, needs }) => [id, ...needs]);
    const chain = [
      ['build-parser', 'design'],
      ['build-printer', 'design', 'build-parser'],
      ['build-publish', 'design', 'build-printer'],
    ];
    assert.deepEqual(needsOf('Implement in code:\n1. parser\n2. printer\n3. publish it'), chain);
    assert.deepEqual(needsOf('Code: \n- parser\n- printer'), [
      ['build-parser', 'design'],
      ['build-printer', 'design'],
    ]);
  });

  it('lets `fix it` follow what it points to, and takes `It should …` for more of the same', () => {
    const { tasks } = decompose('Write a parser in Rust. It should be fast. Test it and publish the code', {
      roles,
    });
    assert.deepEqual(
      tasks.slice(1, 4).map(({ needs, description }) => [goalOf(description), ...needs]),
      [
        ['Write a parser in Rust; It should be fast', 'design'],
        ['Test it', 'design', 'build-write-parser-rust'],
        ['Publish the code', 'design', 'build-write-parser-rust'],
      ],
    );
    const kept = decompose('If it is raining, then deploy the code', { roles, agents: 15 }).tasks;
    assert.ok(
      kept.every(({ id }) => !id.includes('raining')),
      'a condition is no part',
    );
  });

  it('tells each agent what to do, what for, what it is given and when it is done', () => {
    const brief = 'Analyse why sales fell, and then recommend two ways out';
    const { tasks } = decompose(brief, { roles });
    const last = tasks.at(-1);
    assert.ok(last && last.needs.length > 0);
    for (const { description } of tasks) assert.ok(description.includes(brief));
    for (const need of last.needs) assert.ok(last.description.includes(need), need);
    assert.match(tasks[0]?.description ?? '', /You get no results of other tasks/);
  });

  it('keeps what was to be done when it makes several tasks one', () => {
    const brief = 'Build software:\n- lexer\n- grammar\n- printer\n- debugger';
    const many = decompose(brief, { roles }).tasks.map(({ description }) => goalOf(description));
    for (const agents of [1, 2, 3, 4, 5, 6, 7]) {
      const few = decompose(brief, { roles, agents })
        .tasks.map(({ description }) => goalOf(description))
        .join('\n');
      for (const goal of many) assert.ok(few.includes(goal), `${agents} agents do: ${goal}`);
    }
  });

  it('leaves tasks side by side where it makes them fewer', () => {
    const { tasks } = decompose('Deploy the platform with TLS and monitoring', { roles, agents: 4 });
    assert.deepEqual(
      tasks.map(({ id, needs }) => [id, needs.length]),
      [
        ['prepare', 0],
        ['set-up-deploy-platform', 1],
        ['set-up-tls-monitoring', 1],
        ['start-to-hand-over', 2],
      ],
    );
  });

  it('takes a brief of 64,000 characters of any script into a plan that still fits its record', () => {
    for (const unit of ['word ', '写', '🐦', 'a', ' ', '- item\n', 'x and then y ', '1. ä\n', ', with ']) {
      const brief = `Deploy ${unit.repeat(64_000 / unit.length)}`.slice(0, 64_000);
      const made = decompose(brief, { roles, agents: 15 });
      checkAll(made, roles);
      const bytes = Buffer.byteLength(JSON.stringify(made.tasks));
      assert.ok(bytes < 250_000, `${unit}: ${bytes} bytes`);
    }
    const { notes, tasks } = decompose('Deploy it. '.repeat(5_800), { roles });
    assert.match(notes.join('\n'), /63800 characters; each task is shown about/);
    assert.match(tasks[0]?.description ?? '', /characters left out …\]/);
  });

  it('does with what roles there are', () => {
    const one = decompose('Deploy the platform', { roles: [{ name: 'zeta' }, { name: 'camina' }] });
    assert.deepEqual([...new Set(one.tasks.map(({ role }) => role))], ['zeta']);
    assert.match(one.notes.join('\n'), /no general role exists/);
    const kinds = (names: string[]) =>
      decompose('Fix the bug', { roles: names.map((name) => ({ name })) }).tasks[0]?.role;
    assert.equal(kinds(['analyst', 'researcher', 'b']), 'researcher');
    assert.equal(kinds(['b', 'a']), 'a');
    for (const none of [[], [{ name: 'orchestrator' }, { name: 'drummer' }]])
      assert.throws(() => decompose('x', { roles: none }), { code: 'role_unknown', message: /at least one/ });
  });

  it('says when it was asked for a number that cannot be', () => {
    for (const [agents, count] of [
      [0, 1],
      [-1, 1],
      [99, 15],
      [2.4, 2],
      [Number.NaN, 3],
    ] as const) {
      const { tasks, notes } = decompose('Plan a trip', { roles, agents });
      assert.equal(tasks.length, count);
      assert.match(
        notes.join('\n'),
        new RegExp(`found ${agents} agents, expected from 1 to 15: made for ${count}`),
      );
    }
  });

  it('chooses the strategy by the words of the brief', () => {
    const of = (brief: string) => decompose(brief, { roles }).strategy;
    assert.equal(of('Investigate the literature on sleep'), 'research');
    assert.equal(of('Implement a CLI in Rust'), 'software');
    assert.equal(of('Analyse the trend in our logs'), 'analysis');
    assert.equal(of('Plan the conference: budget, agenda and milestones'), 'planning');
    assert.equal(of('Install Redis on the servers'), 'deployment');
    assert.equal(of('Plan the deployment'), 'planning');
    assert.equal(of('Hello there'), 'research');
    assert.equal(of('Write a post about our new release'), 'research');
  });
});

describe('reviews', () => {
  it('are so unlike one another that fifteen tasks always leave one', () => {
    assert.equal(reviews.length, 15);
    reviews.forEach(({ goal }, at) => {
      for (const other of reviews.slice(0, at))
        assert.ok(overlap(contentWords(goal), contentWords(other.goal)) < 0.2, `${goal} and ${other.goal}`);
    });
  });
});

describe('what the decomposer is made of', () => {
  it('reads no clock, chance or environment, and reaches nothing but itself and the failures', () => {
    const folder = new URL('./', import.meta.url);
    const files = new Set(['decompose.ts', 'tiers.ts']);
    for (const file of files) {
      assert.ok(readdirSync(folder).includes(file), file);
      const source = readFileSync(new URL(file, folder), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      assert.doesNotMatch(
        source,
        /\b(Date|performance|process|Math\.random|crypto|fetch|set(Timeout|Interval|Immediate)|console)\b/,
      );
      for (const [, from = ''] of source.matchAll(/ from '([^']+)'/g)) {
        if (from.startsWith('./')) files.add(from.slice(2));
        else assert.equal(from, '#chassis/failures.ts', file);
      }
    }
    assert.ok(files.size >= 8);
  });
});
