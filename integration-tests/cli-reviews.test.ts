/** Reviews, plans and budgets at the command line: the real `ravenhelm`, real services, agents that follow scripts. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { migrate } from '#projector/migrate.ts';
import { quoted, schemaName } from '#projector/schema-name.ts';
import type { EventOf, TaskSpec } from '#schemas/types.gen.ts';
import { commandLine, type Ended } from './command-line.ts';
import { type Namespace, openNamespace } from './harness.ts';

const roles = ['careful_agent', 'cert_agent', 'observability_agent', 'drummer', 'camina', 'orchestrator'];

/** A role that asks before it writes below `out/`, and has a second to be answered for `soon/`. */
const carefulRole = `---
name: careful_agent
description: asks first
tools: [workspace_write, workspace_read]
policy:
  - { tool: workspace_write, when: { path: "soon/*" }, then: ask, expires: 1s, reason: be quick }
  - { tool: workspace_write, when: { path: "out/*" }, then: ask, expires: 1h, reason: all will see it }
---
Do what the task says.
`;

const asking = (path: string, more = ''): string => `
name: Ask first
tasks:
  - id: publish
    role: careful_agent
    max_attempts: 1
    script: [{ write: ${path}, content: hello }]
    answer: published
${more}`;

describe('reviews and plans at the command line', { timeout: 300_000 }, () => {
  it('asks, answers, plans and limits', async (t) => {
    const namespace = await openNamespace(t, { roles });
    writeFileSync(join(namespace.folder, 'roles', 'careful_agent.md'), carefulRole);
    await Promise.all(
      (['orchestrator', 'worker', 'projector'] as const).map((name) => namespace.start(name)),
    );
    await allOfIt(t, namespace, commandLine(namespace));
  });
});

async function allOfIt(
  t: TestContext,
  namespace: Namespace,
  { start, ravenhelm }: ReturnType<typeof commandLine>,
): Promise<void> {
  const { facts } = namespace;
  const me = `person:${userInfo().username}`;
  const answersTo = (mission: string) =>
    facts
      .of(mission)
      .filter((fact): fact is EventOf<'review_completed'> => fact.event_type === 'review_completed');
  const waiting = async (...more: string[]): Promise<readonly Record<string, unknown>[]> => {
    const { stdout, stderr } = await ravenhelm(['reviews', '--json', ...more]);
    assert.equal(stderr, '');
    return JSON.parse(stdout) as Record<string, unknown>[];
  };

  await t.test('says what waits for a person, and with which command it goes on', async (within) => {
    const run = start(['run', '-', '--id', 'ask-one'], asking('out/hello.txt'));
    const { review_id } = await facts.review('ask-one');
    assert.equal(review_id, 'ask-one/publish/1/2');
    const listed = await until(waiting, (found) => found.length === 1);
    const { kind, task_id, tool, reason, arguments: args } = listed[0] ?? {};
    assert.deepEqual(
      [kind, task_id, tool, reason],
      ['tool_call', 'publish', 'workspace_write', 'all will see it'],
    );
    assert.deepEqual(JSON.parse(String(args)), {
      path: 'out/hello.txt',
      content: 'hello',
      mode: 'overwrite',
    });
    assert.equal(existsSync(namespace.file('ask-one', 'out/hello.txt')), false);
    const { stdout } = await ravenhelm(['reviews', '--mission', 'ask-one']);
    assert.match(stdout, /may task publish call workspace_write\?\n/);
    assert.match(stdout, /"path":"out\/hello\.txt"/);
    assert.match(stdout, /^ {4}npx ravenhelm reject ask-one\/publish\/1\/2 {3}no$/m);
    assert.match((await ravenhelm(['tasks', '--mission', 'ask-one'])).stdout, /parked/);
    const detail = await ravenhelm(['mission', 'ask-one']);
    assert.match(detail.stdout, /parked[^]*^ {4}npx ravenhelm approve ask-one\/publish\/1\/2 /m);

    await within.test('refuses what is unknown, may be two things, or is no answer to it', async () => {
      const [unknown, nobody, other, both] = await Promise.all([
        ravenhelm(['approve', 'ask-one/publish/1/3']),
        ravenhelm(['approve', 'nobody']),
        ravenhelm(['approve', 'ask-one', '--happened']),
        ravenhelm(['approve', 'ask-one', '--happened', '--cheaper']),
      ]);
      assert.equal(unknown.code, 1);
      assert.match(unknown.stderr, /^error review_unknown: found no review ask-one\/publish\/1\/3/);
      assert.equal(nobody.code, 1);
      assert.match(nobody.stderr, /^error review_unknown: found no review nobody/);
      assert.equal(other.code, 2);
      assert.match(other.stderr, /--happened: found a review of kind tool_call .* takes approved, rejected/);
      assert.equal(both.code, 2);
      assert.deepEqual(answersTo('ask-one'), []);
    });

    await within.test('goes on with the call when it is approved, by the beginning of its id', async () => {
      const approved = await ravenhelm(['approve', 'ask-on', '--comment', 'fine']);
      assert.equal(approved.code, 0, approved.stderr);
      assert.match(
        approved.stdout,
        /arguments +\{"content":"hello","mode":"overwrite","path":"out\/hello\.txt"\}/,
      );
      const ended = await run.ended;
      assert.equal(ended.code, 0, ended.stderr);
      assert.match(ended.stdout, /A person has to decide, until .*: may task publish call workspace_write\?/);
      assert.match(ended.stdout, /^ +npx ravenhelm approve ask-one\/publish\/1\/2 /m);
      assert.equal(readFileSync(namespace.file('ask-one', 'out/hello.txt'), 'utf8'), 'hello');
      const [answer] = answersTo('ask-one');
      const { decision, reviewer, comment, arguments_hash } = answer?.payload ?? {};
      assert.deepEqual([decision, reviewer, comment], ['approved', me, 'fine']);
      assert.equal(arguments_hash, listed[0]?.['arguments_hash']);
    });
  });

  await t.test('refuses a second answer, and says who gave the first', async () => {
    const again = await ravenhelm(['approve', 'ask-one/publish/1/2', '--json']);
    assert.equal(again.code, 1);
    const { error } = JSON.parse(again.stderr) as { error: { code: string; message: string } };
    assert.equal(error.code, 'review_unknown');
    assert.match(error.message, new RegExp(`was answered already: approved by ${me} at `));
    assert.equal((await ravenhelm(['reject', 'ask-one/publish/1/2'])).code, 1);
    assert.equal(answersTo('ask-one').length, 1);
    const all = await until(
      () => waiting('--all'),
      (found) => found[0]?.['status'] === 'approved',
    );
    assert.deepEqual([all[0]?.['reviewer'], all[0]?.['comment']], [me, 'fine']);
    assert.deepEqual(await waiting(), []);
  });

  await t.test('tells the agent no, and why', async () => {
    const run = start(['run', '-', '--id', 'ask-two', '--plain'], asking('out/two.txt'));
    const { review_id } = await facts.review('ask-two');
    const rejected = await ravenhelm(['reject', review_id, '--comment', 'not today', '--json']);
    assert.equal(rejected.code, 0, rejected.stderr);
    assert.equal((JSON.parse(rejected.stdout) as { decision: string }).decision, 'rejected');
    const ended = await run.ended;
    assert.equal(ended.code, 1);
    assert.match(ended.stdout, /workspace_write\): a person said no: not today/);
    assert.equal(existsSync(namespace.file('ask-two', 'out/two.txt')), false);
  });

  await t.test('takes no answer that comes too late', async () => {
    const run = start(['run', '-', '--id', 'ask-late'], asking('soon/late.txt'));
    const { review_id } = await facts.review('ask-late');
    assert.equal((await run.ended).code, 1);
    const late = await ravenhelm(['approve', review_id]);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /^error review_expired: .* was answered by nobody in time/);
    assert.deepEqual(answersTo('ask-late'), []);
    assert.equal(existsSync(namespace.file('ask-late', 'soon/late.txt')), false);
  });

  await t.test('wants more of an id that may be two, and none of a mission that is over', async () => {
    for (const id of ['ask-three', 'ask-threefold']) {
      assert.equal((await ravenhelm(['submit', '-', '--id', id], asking('out/a.txt'))).code, 0);
      await facts.review(id);
    }
    await until(waiting, (found) => found.length === 2);
    const two = await ravenhelm(['approve', 'ask-three']);
    assert.equal(two.code, 2);
    assert.match(two.stderr, /found 2 that begin with ask-three \(/);
    for (const id of ['ask-three', 'ask-threefold']) {
      await ravenhelm(['cancel', id]);
      await facts.end(id);
    }
    const over = await ravenhelm(['approve', 'ask-three/publish/1/2']);
    assert.equal(over.code, 1);
    assert.match(over.stderr, /^error review_unknown: .* is of a mission that is cancelled/);
    await until(waiting, (found) => found.length === 0);
  });

  const brief = 'Deploy the platform with TLS and monitoring';
  const file = join(namespace.folder, 'plan.yaml');
  interface PlanDocument {
    readonly made_by: string;
    readonly notes: readonly string[];
    readonly tasks: readonly TaskSpec[];
  }
  const plan = ({ stdout }: Ended) => JSON.parse(stdout) as PlanDocument;

  await t.test('prints a plan without any model, saves it, and has the same from the file', async () => {
    const printed = await ravenhelm(['run', brief, '--planner', 'heuristic', '--plan-only', '--save', file]);
    assert.equal(printed.code, 0, printed.stderr);
    assert.match(printed.stdout, /^WAVE {2}ID +ROLE +NEEDS +DESCRIPTION\n/);
    assert.match(printed.stdout, /cert_agent/);
    assert.match(printed.stderr, /planned without a model/);
    assert.match(printed.stderr, /Saved as .*plan\.yaml/);
    const first = plan(await ravenhelm(['run', brief, '--planner', 'heuristic', '--plan-only', '--json']));
    assert.equal(first.made_by, 'heuristic');
    assert.ok(first.tasks.length >= 3);
    const again = plan(await ravenhelm(['run', file, '--plan-only', '--json']));
    assert.equal(again.made_by, 'mission');
    assert.deepEqual(again.tasks, first.tasks);
    const drawn = await ravenhelm(['run', file, '--plan-only', '--mermaid']);
    assert.match(drawn.stdout, /^flowchart LR\n {2}subgraph wave1/);
  });

  await t.test('never overwrites a plan unless it is told to', async () => {
    const before = readFileSync(file, 'utf8');
    const plans = facts.all.filter(({ event }) => event.event_type === 'plan_created').length;
    const refused = await ravenhelm(['run', brief, '--planner', 'heuristic', '--plan-only', '--save', file]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--save: found the file .*plan\.yaml, expected a new one, or --force/);
    assert.equal(readFileSync(file, 'utf8'), before);
    assert.equal(facts.all.filter(({ event }) => event.event_type === 'plan_created').length, plans);
    const args = [
      'run',
      brief,
      '--planner',
      'heuristic',
      '--agents',
      '4',
      '--hierarchy',
      'none',
      '--plan-only',
    ];
    const forced = await ravenhelm([...args, '--json', '--save', file, '--force']);
    assert.equal(forced.code, 0, forced.stderr);
    assert.equal(plan(forced).tasks.length, 4);
    assert.notEqual(readFileSync(file, 'utf8'), before);
  });

  await t.test('exits 1 when there is no plan', async () => {
    const none = await ravenhelm(['run', brief, '--planner', 'model', '--plan-only', '--json']);
    assert.equal(none.code, 1, none.stderr);
    assert.equal((JSON.parse(none.stdout) as { tasks: null }).tasks, null);
  });

  await t.test('waits for the plan to be approved, and goes on then', async () => {
    const given = '\n  - { id: two, role: cert_agent, needs: [publish], script: [{ run: "true" }] }';
    const run = start(
      ['run', '-', '--id', 'planned', '--review', 'plan'],
      asking('free.txt', given).replace('careful', 'cert'),
    );
    const { review_id, kind } = await facts.review('planned');
    assert.deepEqual([review_id, kind], ['planned/plan/0', 'plan']);
    assert.equal(
      facts.of('planned').some(({ event_type }) => event_type === 'task_assigned'),
      false,
    );
    const approved = await ravenhelm(['approve', 'planned/plan']);
    assert.equal(approved.code, 0, approved.stderr);
    assert.match(approved.stdout, /^ +2 {2}two +cert_agent +publish$/m);
    const ended = await run.ended;
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
    assert.match(ended.stdout, /shall this plan be carried out\?/);
  });

  await t.test('asks at the limit of a budget, and shows it', async () => {
    const limits = ['--budget-calls', '0', '--budget-usd', '1.50', '--at-limit', 'ask'];
    const run = start(
      ['run', '-', '--id', 'short', ...limits],
      asking('free.txt').replace('careful', 'cert'),
    );
    const { kind } = await facts.review('short');
    assert.equal(kind, 'budget');
    await until(
      () => waiting('--mission', 'short'),
      (found) => found.length === 1,
    );
    const cost = await ravenhelm(['cost', 'short']);
    assert.match(cost.stdout, /^budget: \$0\.00 of \$1\.50, 0 of 0 calls, at the limit: ask$/m);
    assert.equal((await ravenhelm(['reject', 'short'])).code, 0);
    const ended = await run.ended;
    assert.equal(ended.code, 1);
    assert.match(ended.stdout, /^ {2}budget: \$0\.00 of \$1\.50, 0 of 0 calls$/m);
    assert.match(ended.stdout, /^mission_failed .* budget_exhausted: /m);
  });

  await t.test('shows a mission within a mission from both sides', async () => {
    const nested = `
name: Outer
tasks:
  - id: inner
    role: orchestrator
    mission:
      tasks:
        - { id: do-it, role: cert_agent, script: [{ run: "true" }], answer: did it }
`;
    const run = await ravenhelm(['run', '-', '--id', 'outer'], nested);
    assert.equal(run.code, 0, run.stdout + run.stderr);
    const detail = async (id: string) =>
      JSON.parse((await ravenhelm(['mission', id, '--json'])).stdout || 'null') as {
        readonly mission: Record<string, unknown>;
        readonly children: readonly Record<string, unknown>[];
      } | null;
    const outer = await until(
      () => detail('outer'),
      (found) => found?.children[0]?.['status'] === 'completed',
    );
    const child = String(outer?.children[0]?.['mission_id']);
    assert.deepEqual([outer?.children[0]?.['parent_task_id'], child], ['inner', 'outer:inner:1']);
    const inner = (await detail(child))?.mission ?? {};
    assert.deepEqual(
      [inner['parent_mission_id'], inner['parent_task_id'], inner['depth']],
      ['outer', 'inner', 1],
    );
    assert.match((await ravenhelm(['mission', child])).stdout, /is task inner of mission outer/);
    assert.match((await ravenhelm(['mission', 'outer'])).stdout, /^inner +outer:inner:1 /m);
  });

  await t.test(
    'tables of a version that knew nothing of missions within get them from the timeline',
    async () => {
      const url = process.env['DATABASE_URL'] ?? '';
      const schema = schemaName(namespace.prefix);
      const client = new pg.Client(url);
      await client.connect();
      try {
        const missions = `${quoted(schema)}.missions`;
        await client.query(
          `alter table ${missions} drop column parent_mission_id, drop column parent_task_id, drop column depth`,
        );
        await client.query(`delete from ${quoted(schema)}.migrations where name > '0003_z'`);
        await migrate(url, schema);
        const { rows } = await client.query<{ depth: number }>(
          `select parent_mission_id, parent_task_id, depth from ${missions} where depth > 0`,
        );
        assert.deepEqual(rows, [{ parent_mission_id: 'outer', parent_task_id: 'inner', depth: 1 }]);
      } finally {
        await client.end();
      }
    },
  );

  await t.test('the tables are as a rebuild makes them, and the ledger verifies', async () => {
    const check = await ravenhelm(['rebuild', '--check']);
    assert.equal(check.code, 0, check.stdout + check.stderr);
    const verified = await ravenhelm(['verify', '--all']);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });
}

/** The tables follow the ledger a moment behind. */
async function until<T>(ask: () => Promise<T>, enough: (found: T) => boolean): Promise<T> {
  for (const deadline = Date.now() + 20_000; ; await sleep(100)) {
    const found = await ask();
    if (enough(found)) return found;
    if (Date.now() > deadline) throw new Error(`not projected: ${JSON.stringify(found)}`);
  }
}
