/** Agents that react to what happens: choreography, joins, standing definitions, and their limits. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseMission } from '#missions/load.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { createVerifier } from '#orchestrator/verify.ts';
import type { EventOf, EventType } from '#schemas/types.gen.ts';
import { commandLine } from './command-line.ts';
import { Fleet } from './fleet.ts';
import { type Namespace, openNamespace, realRoles } from './harness.ts';
import { checkLedger } from './invariants.ts';

const userStory = resolve(import.meta.dirname, '../missions/user-story.yaml');
const storyRoles = [
  'api_designer',
  'ux_designer',
  'tester',
  'developer',
  'database_agent',
  'frontend_developer',
];

const all = <T extends EventType>(facts: readonly FactEvent[], type: T): EventOf<T>[] =>
  facts.filter((fact): fact is FactEvent & EventOf<T> => fact.event_type === type);

/** The mission that a person wrote, as a command. */
const mission = (yaml: string) => parseMission(yaml, 'mission');

/** Every mission ends well, the ledger is whole, and deciding all of it again gives the same. */
async function checkEnds(space: Namespace, missions: readonly string[], end = 'mission_completed') {
  for (const id of missions) {
    const last = await space.facts.end(id, 120_000);
    assert.equal(last.event_type, end, `${id}: ${JSON.stringify(last.payload)}`);
  }
  const verifier = createVerifier(space.context.codec);
  const findings = space.facts.all.flatMap(
    ({ bytes, partition, offset }) => verifier.feed({ bytes, partition, offset }) ?? [],
  );
  assert.deepEqual([...findings, ...verifier.end().findings], []);
}

test('a user story, carried out by six roles that nobody leads', { timeout: 120_000 }, async (t) => {
  const space = await openNamespace(t, { roles: storyRoles, roleFiles: realRoles(...storyRoles) });
  await Promise.all([space.start('orchestrator'), space.start('worker'), space.start('correlator')]);
  const { ravenhelm } = commandLine(space);
  const ran = await ravenhelm(['run', userStory, '--id', 'story', '--plain']);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.match(ran.stdout, /aggregation_completed \| correlator → orchestrator \| build-frontend: 2 of 2/);
  await checkEnds(space, ['story']);

  const facts = space.facts.of('story');
  const byId = new Map(facts.map((fact) => [fact.event_id, fact]));
  const causeOf = (task: string): string => {
    const asked = all(facts, 'task_requested').find(({ payload }) => payload.task.id === task);
    const trigger = byId.get(asked?.payload.trigger ?? '');
    assert.ok(asked && trigger && trigger.sequence < asked.sequence, task);
    if (trigger.event_type === 'event_emitted') return trigger.payload.name;
    return trigger.event_type === 'aggregation_completed' ? trigger.payload.aggregation : trigger.event_type;
  };
  assert.deepEqual(
    ['api', 'wireframes', 'test-plan', 'backend', 'tables', 'frontend', 'tests'].map(causeOf),
    [
      ...['UserStoryApproved', 'UserStoryApproved', 'UserStoryApproved', 'ApiDesigned', 'ApiDesigned'],
      ...['build-frontend', 'run-tests'],
    ],
  );
  const at = (task: string, type: 'task_assigned' | 'task_completed') =>
    facts.find((fact) => fact.event_type === type && fact.payload.task_id === task)?.sequence ?? Number.NaN;
  assert.ok(at('frontend', 'task_assigned') > at('backend', 'task_completed'));
  assert.ok(at('frontend', 'task_assigned') > at('wireframes', 'task_completed'));
  for (const task of ['test-plan', 'tables', 'backend', 'frontend'])
    assert.ok(at('tests', 'task_assigned') > at(task, 'task_completed'), task);
  assert.deepEqual(all(facts, 'plan_created')[0]?.payload.tasks, [], 'nobody planned it');
  assert.match(all(facts, 'mission_completed')[0]?.payload.result ?? '', /.*/);

  const status = await ravenhelm(['aggregators', 'status', 'story', '--json']);
  const told = JSON.parse(status.stdout) as { aggregators: { name: string; status: string; of: number }[] };
  assert.deepEqual(
    told.aggregators.map(({ name, status: now, of }) => [name, now, of]),
    [
      ['build-frontend', 'completed', 2],
      ['run-tests', 'completed', 4],
    ],
  );
});

test('an aggregator that completes, one that times out, and an event that comes twice', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'] });
  await Promise.all([space.start('orchestrator'), space.start('worker'), space.start('correlator')]);
  const { ravenhelm } = commandLine(space);
  const id = await space.submit({
    correlation_id: 'joins',
    ...mission(`
name: joins
aggregators:
  - name: parts
    events: [{ name: engine, type: Part, where: { data.of: engine } }, { name: wheels, type: Part, where: { data.of: wheels } }, { name: doors, type: Part, where: { data.of: doors } }]
    timeout: 1m
    on_complete:
      task: { id: assemble, role: builder, description: "{{events.engine.said}}", script: [{ run: "echo assembled", idempotent: true }] }
  - name: paint
    events: [PaintDry, InspectorCame]
    timeout: 2s
    on_timeout: { emit: { name: PaintLate, severity: warning, data: { missing: "{{payload.missing}}" } } }
emit: [PaintDry]
`),
  });
  const part = (of: string) => ravenhelm(['emit', id, 'Part', '--data', JSON.stringify({ of })]);
  for (const name of ['engine', 'engine', 'doors']) assert.equal((await part(name)).code, 0);
  await space.facts.until(
    ({ all: found }) => found.filter((f) => isPart(f.event)).length === 3,
    'three parts',
  );
  const status = await ravenhelm(['aggregators', 'status', id]);
  assert.match(status.stdout, /parts +open +2 of 3 +engine, doors +wheels/);
  const refused = await ravenhelm(['emit', 'nobody', 'Part']);
  assert.equal(refused.code, 2);

  await space.facts.until(
    ({ all: found }) => found.some((f) => isEmitted(f.event, 'PaintLate')),
    'late paint',
  );
  assert.equal((await part('wheels')).code, 0);
  await checkEnds(space, [id]);
  const facts = space.facts.of(id);
  const [done] = all(facts, 'aggregation_completed');
  assert.deepEqual([done?.payload.received, done?.payload.missing], [['engine', 'wheels', 'doors'], []]);
  const [late] = all(facts, 'aggregation_timed_out');
  assert.deepEqual([late?.payload.received, late?.payload.missing], [['PaintDry'], ['InspectorCame']]);
  const said = all(facts, 'event_emitted').find(({ payload }) => payload.name === 'PaintLate');
  assert.deepEqual(JSON.parse(said?.payload.data ?? ''), { missing: ['InspectorCame'] });
  assert.equal(
    all(facts, 'task_completed').filter(({ payload }) => payload.task_id === 'assemble').length,
    1,
  );
  const late2 = await ravenhelm(['emit', id, 'Part']);
  assert.match(late2.stderr, /has ended \(completed\)/);
});

const isEmitted = (fact: FactEvent, name: string) =>
  fact.event_type === 'event_emitted' && fact.payload.name === name;
const isPart = (fact: FactEvent) => isEmitted(fact, 'Part');

const definitions = `
subscriptions:
  - name: look-at-failures
    role: builder
    on: { type: task_failed, where: { payload.code: [tool_failed, timeout] } }
    task: { description: "Look at {{payload.task_id}}: {{payload.code}}", script: [{ run: "echo looked", idempotent: true }] }
aggregators:
  - name: both-built
    events: [{ name: a, type: task_completed, where: { payload.task_id: a } }, { name: b, type: task_completed, where: { payload.task_id: b } }]
    on_complete: { emit: BothBuilt }
`;

test('definitions that stand for every mission', { timeout: 120_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'] });
  const file = join(space.folder, 'standing.yaml');
  writeFileSync(file, definitions);
  const { ravenhelm } = commandLine(space);
  const applied = await ravenhelm(['aggregators', 'apply', file]);
  assert.equal(
    applied.stdout,
    'new      subscription look-at-failures\nnew      aggregator both-built\n',
    applied.stderr,
  );
  const again = await ravenhelm(['aggregators', 'apply', file, '--json']);
  assert.deepEqual(
    (JSON.parse(again.stdout) as { change: string }[]).map(({ change }) => change),
    ['same', 'same'],
  );
  writeFileSync(file, definitions.replace('BothBuilt', 'BothAreBuilt'));
  assert.match(
    (await ravenhelm(['aggregators', 'apply', file])).stdout,
    /^changed {2}aggregator both-built$/m,
  );

  // They are read before the first fact is, so that what was applied before holds for all that follows.
  await Promise.all([space.start('orchestrator'), space.start('worker'), space.start('correlator')]);
  const ends = { run: 'exit 1', idempotent: true };
  await space.submit({
    correlation_id: 'plain',
    ...mission(`{ on_failure: continue, tasks: [
      { id: a, role: builder, script: [{ run: "true", idempotent: true }] },
      { id: b, role: builder, needs: [a], script: [{ run: "true", idempotent: true }] },
      { id: c, role: builder, needs: [b], max_attempts: 1, script: [${JSON.stringify(ends)}] } ] }`),
  });
  const last = await space.facts.end('plain');
  assert.equal(last.event_type, 'mission_failed', JSON.stringify(last.payload));
  const failed = all(space.facts.of('plain'), 'task_failed')[0];
  const isReaction = (fact: FactEvent) =>
    fact.event_type === 'mission_accepted' && fact.payload.tasks[0]?.caused_by === failed?.event_id;
  await space.facts.until(
    ({ all: found }) => found.some(({ event }) => isReaction(event)),
    'a mission of its own',
  );
  const own = space.facts.all.find(({ event }) => isReaction(event))?.event.correlation_id ?? '';
  await space.facts.end(own);
  const [assigned] = all(space.facts.of(own), 'task_assigned');
  assert.equal(assigned?.payload.description, 'Look at c: tool_failed');
  const facts = space.facts.of('plain');
  assert.equal(all(facts, 'aggregation_started').length, 1);
  assert.deepEqual(all(facts, 'aggregation_completed')[0]?.payload.received, ['a', 'b']);
  assert.ok(facts.some((fact) => isEmitted(fact, 'BothAreBuilt')));

  const listed = await ravenhelm(['aggregators', 'list']);
  assert.match(listed.stdout, /both-built +aggregator +a, b +emits BothAreBuilt/);
  assert.equal((await ravenhelm(['aggregators', 'remove', 'both-built'])).code, 0);
  assert.equal((await ravenhelm(['aggregators', 'remove', 'both-built'])).code, 2);
});

test('reactions that answer each other stop at the limit, and say so', { timeout: 120_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'] });
  await Promise.all([space.start('orchestrator'), space.start('correlator')]);
  const id = await space.submit({
    ...mission(`
max_hops: 6
subscriptions:
  - { name: ping, on: Pong, emit: Ping }
  - { name: pong, on: Ping, emit: Pong }
emit: [Ping]
`),
  });
  await checkEnds(space, [id]);
  const facts = space.facts.of(id);
  assert.deepEqual(
    all(facts, 'event_emitted').map(({ payload }) => payload.hops),
    [0, 1, 2, 3, 4, 5, 6],
  );
  const errors = all(facts, 'error_raised').map(({ payload }) => [payload.code, payload.subscription]);
  assert.deepEqual(errors, [['hop_limit', 'pong']]);
});

test('a route, a pause for a person, and a correlator that comes late', { timeout: 120_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['builder', 'checker'] });
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const id = await space.submit({
    ...mission(`
on_failure: continue
subscriptions:
  - { name: stop, on: task_failed, pause: "look at {{payload.task_id}}" }
  - name: triage
    on: task_failed
    task: { id: triage, role: builder, routes: [{ when: { payload.code: tool_failed }, role: checker }], script: [{ run: "true", idempotent: true }] }
tasks: [{ id: a, role: builder, max_attempts: 1, script: [{ run: exit 1, idempotent: true }] }]
`),
  });
  const failed = (fact: FactEvent) => fact.event_type === 'task_failed';
  await space.facts.until(({ all: found }) => found.some(({ event }) => failed(event)), 'failed task');
  // Nobody has reacted, so the mission goes on.
  await space.start('correlator');
  const { review_id, kind, reason, arguments_hash } = await space.facts.review(id);
  assert.deepEqual([kind, reason], ['pause', 'look at a']);
  const asked = () => all(space.facts.of(id), 'task_requested')[0];
  await space.facts.until(() => asked() !== undefined, 'request for triage');
  assert.equal(asked()?.payload.task.role, 'checker');
  assert.equal(asked()?.payload.reason, 'role checker: payload.code eq "tool_failed"');
  const answer = { event_type: 'review_completed', review_id, arguments_hash, decision: 'approved' } as const;
  await space.command({ ...answer, correlation_id: id, event_id: 'answer', source_agent: 'person:p' });
  await checkEnds(space, [id], 'mission_failed');
  const facts = space.facts.of(id);
  const answered = all(facts, 'review_completed')[0]?.sequence ?? Number.NaN;
  const assigned = all(facts, 'task_assigned').find(({ payload }) => payload.task_id === 'triage');
  assert.ok((assigned?.sequence ?? 0) > answered, 'no task begins during the pause');
});

/** Chains of three tasks, each of which reacts to the one before, and an aggregator over all of them. */
const chain = `
subscriptions:
  - { name: second, on: { type: task_completed, where: { payload.task_id: first } }, role: builder, task: { id: second, script: [{ run: "true", idempotent: true }] } }
  - { name: third, on: { type: task_completed, where: { payload.task_id: second } }, role: builder, task: { id: third, script: [{ run: "true", idempotent: true }] } }
  - { name: tell, on: { type: task_completed }, emit: { name: Done, data: { task: "{{payload.task_id}}" } } }
aggregators:
  - name: three
    events: [{ name: first, type: Done, where: { data.task: first } }, { name: second, type: Done, where: { data.task: second } }, { name: third, type: Done, where: { data.task: third } }]
    timeout: 2m
    on_complete: { emit: AllDone }
tasks: [{ id: first, role: builder, script: [{ run: "true", idempotent: true }] }]
`;

async function submitChains(space: Namespace, count: number, name = 'chain'): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => `${name}${at}-${space.prefix}`);
  const given = mission(chain);
  await Promise.all(ids.map((correlation_id) => space.submit({ correlation_id, ...given })));
  return ids;
}

/** Every reaction happened, and none of them twice: by the events alone. */
async function checkChains(t: TestContext, space: Namespace, ids: readonly string[]): Promise<void> {
  await checkEnds(space, ids);
  for (const id of ids) {
    const facts = space.facts.of(id);
    const made = facts.flatMap((fact) =>
      'trigger' in fact.payload && 'subscription' in fact.payload && fact.payload.trigger !== ''
        ? [`${fact.payload.subscription} ${fact.payload.trigger}`]
        : [],
    );
    assert.equal(new Set(made).size, made.length, `${id}: a reaction happened twice: ${made.join(', ')}`);
    assert.deepEqual(
      all(facts, 'task_requested').map(({ payload }) => payload.task.id),
      ['second', 'third'],
      id,
    );
    const done = all(facts, 'event_emitted').filter(({ payload }) => payload.name === 'Done');
    assert.deepEqual(
      done.map(({ payload }) => (JSON.parse(payload.data) as { task: string }).task),
      ['first', 'second', 'third'],
      id,
    );
    assert.equal(all(facts, 'aggregation_completed').length, 1, id);
    assert.equal(
      all(facts, 'event_emitted').filter(({ payload }) => payload.name === 'AllDone').length,
      1,
      id,
    );
  }
  checkLedger(
    space.facts.all,
    new Map(
      ids.map((id) => {
        const asked = all(space.facts.of(id), 'task_requested').map(({ payload }) => payload.task);
        return [id, [...mission(chain).tasks, ...asked]];
      }),
    ),
  );
  t.diagnostic(`${ids.length} missions, ${ids.length * 7} reactions`);
}

test('kill -9 of the correlators, again and again, while sixty chains of reactions run', {
  timeout: 240_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 3 });
  const fleet = new Fleet(space);
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  await fleet.add('correlator');
  await fleet.add('correlator');
  const ids: string[] = [];
  let submitting = true;
  const submitted = (async () => {
    for (let at = 0; submitting || at < 6; at++) {
      ids.push(...(await submitChains(space, 10, `c${at}-`)));
      await sleep(1000);
      if (at >= 20) return;
    }
  })();
  for (let round = 0; round < 4; round++) {
    for (const member of fleet.all) {
      fleet.kill(member);
      await sleep(1500);
    }
  }
  submitting = false;
  await submitted;
  await checkChains(t, space, ids);
  t.diagnostic(`killed: ${fleet.all.map(({ kills }) => kills).join(' + ')}`);
});

for (const point of ['before-outputs', 'outputs-sent']) {
  const where = point === 'outputs-sent' ? 'between its outputs and its commit' : 'before its outputs';
  test(`a correlator frozen ${where}, which wakes when another has taken over`, {
    timeout: 180_000,
  }, async (t) => {
    const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
    const trigger = join(space.folder, 'freeze');
    const frozen = await space.start('correlator', {
      env: { RAVENHELM_STOP_AT: point, RAVENHELM_STOP_WHEN: trigger },
    });
    await Promise.all([space.start('orchestrator'), space.start('worker')]);
    await space.start('correlator');
    writeFileSync(trigger, '');
    const ids = await submitChains(space, 10);
    for (let at = 0; existsSync(trigger) && at < 400; at++) await sleep(25);
    assert.ok(!existsSync(trigger), 'the correlator with the stop point holds the partition');
    // It says nothing until the group has missed it; then the other goes on where it was.
    await checkChains(t, space, ids);
    const later = await submitChains(space, 5, 'late');
    frozen.signal('SIGCONT');
    await checkChains(t, space, [...ids, ...later]);
    // It had to see that it is no longer the owner; its process goes on as a member of the group.
    await frozen.ready();
  });
}
