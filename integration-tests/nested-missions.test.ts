/** Missions within missions: results and usage come up, budget, priority, trace and cancellation go down. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { childId } from '#orchestrator/children.ts';
import { noOptions } from '#schemas/mission-command.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, TaskSpec } from '#schemas/types.gen.ts';
import { nanosOf, readAll, verifyAll } from './books.ts';
import { Fleet } from './fleet.ts';
import { type Namespace, openNamespace, realRoles } from './harness.ts';
import { calls, type Mind, plans, says, startMinds } from './minds.ts';

const roles = ['orchestrator', 'builder'];

/** A task as JSON, as a mission within a mission has it. */
const leaf = (id: string, command: string) => ({
  id,
  role: 'builder',
  script: {
    calls: [{ tool: 'execute_terminal_command', arguments: { command, idempotent: true } }],
    answer: `${id} is built`,
  },
});
const domain = (id: string, leaves: readonly object[]) => ({
  id,
  role: 'orchestrator',
  description: `the domain ${id}`,
  mission: { name: id, tasks: leaves },
});
/** A strategy of domains, each with its work: the three levels. */
const strategy = (id: string, domains: readonly object[], needs: readonly string[] = []): TaskSpec =>
  taskSpec({
    id,
    role: 'orchestrator',
    needs,
    description: `the strategy ${id}`,
    mission: JSON.stringify({ name: id, tasks: domains }),
  });

const below = (mission: string, ...ids: readonly string[]) =>
  ids.reduce((above, id) => childId(above, id, 1), mission);

const factOf = <T extends 'mission_accepted' | 'task_assigned' | 'mission_cancelled'>(
  space: Namespace,
  mission: string,
  type: T,
  task = '',
): EventOf<T>['payload'] | undefined =>
  space.facts
    .of(mission)
    .find(
      (fact) =>
        fact.event_type === type &&
        (task === '' || ('task_id' in fact.payload && fact.payload.task_id === task)),
    )?.payload as EventOf<T>['payload'] | undefined;

async function open(t: TestContext) {
  const files = realRoles('orchestrator');
  const space = await openNamespace(t, { roles, roleFiles: files });
  return space;
}

test('three levels of missions', { timeout: 180_000 }, async (t) => {
  const space = await open(t);
  await Promise.all([space.start('orchestrator'), space.start('worker')]);

  await t.test('results and usage come up; budget, priority and trace go down', async () => {
    const work = [leaf('keel', 'echo keel'), leaf('mast', 'echo mast')];
    const mission = await space.submit({
      priority: 'high',
      tasks: [strategy('fleet', [domain('ship', work), domain('boat', [leaf('oar', 'echo oar')])])],
      options: { ...noOptions, budget: { tokens: -1, calls: 1000, cost_nanos: 8_000_000, time_ms: -1 } },
    });
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_completed', JSON.stringify(end.payload));
    for (const part of ['keel is built', 'mast is built', 'oar is built'])
      assert.match(end.payload.result, new RegExp(part));

    const levels = [mission, below(mission, 'fleet'), below(mission, 'fleet', 'ship')];
    levels.forEach((id, depth) => {
      const accepted = factOf(space, id, 'mission_accepted');
      assert.equal(accepted?.depth, depth, id);
      assert.ok(
        space.facts.of(id).every(({ priority }) => priority === 'high'),
        `${id}: priority`,
      );
      const above = levels[depth - 1];
      if (above === undefined) return;
      const task = depth === 1 ? 'fleet' : 'ship';
      const given = factOf(space, above, 'task_assigned', task)?.budget;
      assert.ok(given && given.calls > 0 && given.cost_nanos > 0, 'the task has a share');
      assert.deepEqual(accepted?.policy.options.budget, given, 'and the mission that it is has no more');
    });
    await checkTrace(space, mission, levels);
  });

  await t.test('a cancellation goes down to the command that runs', async () => {
    const beat = leaf('beat', 'while :; do echo beat >> beats; sleep 0.1; done');
    const mission = await space.submit({ tasks: [strategy('fleet', [domain('ship', [beat])])] });
    const lowest = below(mission, 'fleet', 'ship');
    const beats = () => {
      try {
        return readFileSync(space.file(lowest, 'beats'), 'utf8').length;
      } catch {
        return 0;
      }
    };
    for (let i = 0; i < 200 && beats() === 0; i++) await sleep(50);
    assert.ok(beats() > 0, 'the leaf runs');
    await space.command({ event_type: 'mission_cancelled', correlation_id: mission, reason: 'a storm' });
    for (const id of [mission, below(mission, 'fleet'), lowest])
      assert.equal((await space.facts.end(id)).event_type, 'mission_cancelled', id);
    let last = beats();
    for (let i = 0; i < 30; i++, last = beats()) {
      await sleep(500);
      if (beats() === last) break;
    }
    await sleep(500);
    assert.equal(beats(), last, 'the command is stopped');
  });

  await t.test('a failure below is the failure of its task above', async () => {
    const mission = await space.submit({
      tasks: [{ ...strategy('fleet', [domain('ship', [leaf('hole', 'exit 7')])]), max_attempts: 1 }],
      limits: { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 0, deadline_ms: 0, max_attempts: 1 },
    });
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_failed');
    assert.match(end.payload.message, /fleet failed .*ship failed .*hole failed/s);
  });

  await verifyAll(space);
});

/** The facts of all levels carry one trace id. */
async function checkTrace(space: Namespace, mission: string, levels: readonly string[]): Promise<void> {
  const records = await readAll(space, space.context.topics.coordination);
  const traces = levels.map((id) => [
    ...new Set(records.filter(({ value }) => value.correlation_id === id).map(({ trace }) => trace)),
  ]);
  const [[trace = ''] = []] = traces;
  assert.match(trace, /^[0-9a-f]{32}$/, mission);
  assert.deepEqual(traces, [[trace], [trace], [trace]]);
}

test('an orchestrator that is killed in between loses nothing', { timeout: 180_000 }, async (t) => {
  const space = await open(t);
  const fleet = new Fleet(space);
  const orchestrator = await fleet.add('orchestrator');
  await fleet.add('worker');
  const work = (name: string) =>
    [1, 2, 3].map((n) => leaf(`${name}-${n}`, `echo ${name}-${n} >> ran; sleep 0.5`));
  const chain = (name: string) =>
    work(name).map((task, i) => (i === 0 ? task : { ...task, needs: [`${name}-${i}`] }));
  const mission = await space.submit({
    tasks: ['north', 'south'].map((name) =>
      strategy(name, [domain('ship', chain('s')), domain('boat', chain('b'))]),
    ),
  });
  const leaves = ['north', 'south'].flatMap((name) => [
    below(mission, name, 'ship'),
    below(mission, name, 'boat'),
  ]);
  const completions = () =>
    leaves.flatMap((id) => space.facts.of(id).filter(({ event_type }) => event_type === 'task_completed'))
      .length;
  for (const count of [2, 7]) {
    await space.facts.until(() => completions() >= count, `${count} completed tasks`);
    fleet.kill(orchestrator);
  }
  const end = await space.facts.end(mission, 90_000);
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
  for (const id of leaves) {
    const name = id.includes('ship') ? 's' : 'b';
    assert.equal(readFileSync(space.file(id, 'ran'), 'utf8'), `${name}-1\n${name}-2\n${name}-3\n`, id);
  }
  assert.equal(new Set(space.facts.all.map(({ event }) => event.correlation_id)).size, 1 + 2 + 4);
  await verifyAll(space);
});

/** The planner gives a part of the work to another planner, and that one to builders. */
const planner: Mind = ({ told }) =>
  told.includes('Build the harbour')
    ? plans(
        { id: 'survey', role: 'builder', description: 'Measure the bay.' },
        { id: 'mole', role: 'orchestrator', description: 'Plan and build the mole.', needs: ['survey'] },
      )
    : plans({ id: 'stones', role: 'builder', description: 'Lay the stones.' });

const builder: Mind = ({ told, results }) => {
  const what = /measure|stones/i.exec(told)?.[0].toLowerCase() ?? 'nothing';
  return results.length === 0
    ? calls({ name: 'workspace_write', input: { path: `${what}.txt`, content: what } })
    : says(`${what}: done.`);
};

test('a plan whose task is planned by another planner', { timeout: 120_000 }, async (t) => {
  const space = await open(t);
  const minds = await startMinds(t, {
    anthropic: (asked, signal) =>
      (asked.request.system.startsWith('You are the orchestrator') ? planner : builder)(asked, signal),
  });
  const env = { ...minds.env, RAVENHELM_MODEL_BUILDER: 'anthropic/claude-haiku-5-5' };
  await Promise.all([space.start('orchestrator'), space.start('worker', { env })]);
  const mission = await space.submit({ brief: 'Build the harbour.' });
  const end = await space.facts.end(mission);
  assert.ok(end.event_type === 'mission_completed', JSON.stringify(end.payload));
  assert.equal(end.payload.result, 'stones: done.');
  const child = await space.facts.end(below(mission, 'mole'));
  assert.ok(child.event_type === 'mission_completed');
  const above = space.facts
    .of(mission)
    .find((fact) => fact.event_type === 'task_completed' && fact.payload.task_id === 'mole');
  assert.deepEqual((above as EventOf<'task_completed'>).payload.usage, child.payload.usage);
  assert.equal(nanosOf(end.payload.usage.cost_usd), minds.charged(), 'all levels, to the nano-dollar');
  assert.ok(nanosOf(child.payload.usage.cost_usd) > 0);
  const asked = minds.fakes.anthropic.calls.map(({ request }) => request.messages[0]?.text ?? '');
  assert.ok(
    asked.some((text) => text.includes('Plan and build the mole.') && text.includes('measure: done.')),
    'the planner below is told what is done already',
  );
  await verifyAll(space);
});
