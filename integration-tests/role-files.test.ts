/** What the file of a role says, and files of roles that come while everything runs. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { EventOf, PayloadOf } from '#schemas/types.gen.ts';
import { topicTable } from '#topics/table.ts';
import { commandLine } from './command-line.ts';
import { type Namespace, openNamespace } from './harness.ts';

const roleFile = (name: string, more = '') =>
  `---\nname: ${name}\ndescription: a role of the tests\ntools: [execute_terminal_command]\nsandbox: { shell: true }\n${more}---\nDo it.\n`;

/** Runs a mission of one task, and gives its facts. */
async function run(space: Namespace, id: string, file: object) {
  const path = join(space.folder, `${id}.json`);
  writeFileSync(path, JSON.stringify(file));
  const { code, stderr } = await commandLine(space).ravenhelm(['run', path, '--id', id]);
  await space.facts.end(id);
  return { code, stderr, facts: space.facts.of(id) };
}

const failing = { tasks: [{ id: 'a', role: 'flaky', script: [{ run: 'exit 1' }] }] };

test('a role says how its attempts are tried again, a mission may say otherwise, and the ledger alone proves both', {
  timeout: 180_000,
}, async (t) => {
  const rules = 'retries:\n  - { code: tool_failed, max_attempts: 2, initial: 300ms }\n';
  const space = await openNamespace(t, {
    roles: ['flaky'],
    roleFiles: { flaky: roleFile('flaky', rules) },
  });
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const delaysOf = ({ facts }: Awaited<ReturnType<typeof run>>) =>
    facts.flatMap((fact) =>
      fact.event_type === 'task_attempt_failed' ? [fact.payload.retry_at - fact.timestamp] : [],
    );
  const accepted = ({ facts }: Awaited<ReturnType<typeof run>>): PayloadOf<'mission_accepted'> => {
    const [first] = facts;
    assert.ok(first?.event_type === 'mission_accepted', JSON.stringify(first));
    return first.payload;
  };

  const byRole = await run(space, 'by-role', failing);
  assert.equal(byRole.code, 1, byRole.stderr);
  assert.deepEqual(delaysOf(byRole), [300]);
  assert.deepEqual(accepted(byRole).policy.options.role_retries, [
    { code: 'tool_failed', role: 'flaky', max_attempts: 2, initial_ms: 300, max_ms: 0 },
  ]);

  const own = { ...failing, retries: [{ max_attempts: 3 }] };
  assert.deepEqual(delaysOf(await run(space, 'by-mission', own)), [300, 600]);

  // What the file says from now on changes nothing of what was decided.
  writeFileSync(join(space.folder, 'roles', 'flaky.md'), roleFile('flaky'));
  const byPolicy = await run(space, 'by-policy', failing);
  assert.deepEqual(delaysOf(byPolicy), [1000, 2000]);
  assert.deepEqual(accepted(byPolicy).policy.options.role_retries, []);
  const verified = await commandLine(space).ravenhelm(['verify', '--all']);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
});

test('a role that is new has its tasks done, and nothing is started again for it', {
  timeout: 180_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['old'] });
  const { admin, config } = space.context;
  t.after(async () => {
    const ofIt = topicTable({ prefix: space.prefix, roles: ['fresh'], partitions: 2, replication: 1 });
    const names = ofIt.map(({ name }) => name).filter((name) => name.includes('fresh'));
    await admin.connect();
    await admin.deleteTopics({ topics: names });
    await admin.disconnect();
  });
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const mission = (role: string) => ({ tasks: [{ id: 'a', role, script: [{ run: 'true' }] }] });
  assert.equal((await run(space, 'before', mission('old'))).code, 0);

  writeFileSync(join(config.RAVENHELM_ROLES ?? '', 'fresh.md'), roleFile('fresh'));
  // It has a file and no topic: the mission is refused, and nothing else happens.
  const early = await run(space, 'early', mission('fresh'));
  assert.equal(early.code, 2, early.stderr);
  assert.equal((early.facts.at(-1) as EventOf<'mission_rejected'>).payload.code, 'role_unknown');

  const applied = await commandLine(space).ravenhelm(['topics', 'apply']);
  assert.equal(applied.code, 0, applied.stderr);
  await space.start('worker', { args: ['--roles', 'fresh'] });
  for (let number = 1; ; number++) {
    const { code, stderr, facts } = await run(space, `fresh-${number}`, mission('fresh'));
    if (code === 0) break;
    const end = facts.at(-1);
    assert.ok(end?.event_type === 'mission_rejected' && end.payload.code === 'role_unknown', stderr);
    assert.ok(number < 30, 'the orchestrator does not learn of it');
  }
  const verified = await commandLine(space).ravenhelm(['verify', '--all']);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
});
