/** One mission that is too large, one assignment that is lost, one topic that is gone: nothing else stops. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readTopic } from '#chassis/reader.ts';
import { createVerifier } from '#orchestrator/verify.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { type Namespace, openNamespace, scriptedTask } from './harness.ts';

type Assigned = EventOf<'task_assigned'>;

/** What an agent says of this assignment. */
function saying({ correlation_id, payload }: Assigned, event_type: string, more: object) {
  const { task_id, attempt, lease } = payload;
  return {
    ...{ event_id: `${correlation_id}/${task_id}/${attempt}/${lease}/${event_type}`, event_type },
    ...{ source_agent: 'test', target_agent: 'orchestrator', timestamp: 0, version: 1, correlation_id },
    ...{ causation_id: '', priority: 'normal', sequence: 0, previous_hash: '' },
    payload: { task_id, attempt, lease, agent: 'test', ...more },
  } as unknown as EventOf<'task_started'>;
}

const begins = (assigned: Assigned) =>
  saying(assigned, 'task_started', { journal_partition: 0, journal_offset: 0 });

async function report(space: Namespace, events: readonly EventOf<'task_started'>[]): Promise<void> {
  const { publisher, topics, codec } = space.context;
  const records = events.map((event) => ({ key: event.correlation_id, value: codec.encode(event) }));
  for (let from = 0; from < records.length; from += 100)
    await publisher.send(topics.reports, records.slice(from, from + 100));
}

const assignedIn = (space: Namespace, mission: string): Assigned[] =>
  space.facts.of(mission).filter((fact): fact is Assigned => fact.event_type === 'task_assigned');

function verifies(space: Namespace): void {
  const verifier = createVerifier(space.context.codec);
  for (const record of space.facts.all) assert.equal(verifier.feed(record), null);
}

async function count(space: Namespace, topic: string): Promise<number> {
  let records = 0;
  await readTopic({
    ...{ kafka: space.context.kafka, topic, prefix: space.prefix, until: 'end' },
    signal: AbortSignal.timeout(30_000),
    each: () => void (records += 1),
  });
  return records;
}

test('300 tasks that wait for one answer of 4 kB: the mission fails alone with a clear code, and its neighbours on the partition go on', {
  timeout: 240_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['waits', 'builder'], partitions: 1 });
  const { facts } = space;
  await Promise.all([
    space.start('orchestrator', { env: { RAVENHELM_OUTSTANDING: '1000' } }),
    space.start('worker', { args: ['--roles', 'builder'] }),
    space.start('statistics'),
  ]);
  const neighbour = () => space.submit({ tasks: [scriptedTask({ id: 'a', role: 'builder' })] });
  const before = await neighbour();
  // The test is the agents of the role `waits`.
  const waiting = Array.from({ length: 300 }, (_, at) => taskSpec({ id: `w${at}`, role: 'waits' }));
  const large = await space.submit({ tasks: [...waiting, taskSpec({ id: 'gives', role: 'waits' })] });
  let begun = 0;
  // A task that waits gives its place to the next.
  while (begun < 301) {
    await facts.until(() => assignedIn(space, large).length > begun, `assignment ${begun}`);
    const next = assignedIn(space, large).slice(begun);
    begun += next.length;
    const asks = { dependency: 'answer', reason: '', step: 1 };
    await report(
      space,
      next.flatMap((each) => {
        const started = begins(each);
        return each.payload.task_id === 'gives'
          ? [started]
          : [started, saying(each, 'dependency_required', asks)];
      }),
    );
  }
  const gives = assignedIn(space, large).find(({ payload }) => payload.task_id === 'gives');
  assert.ok(gives !== undefined);
  const answer = { dependency: 'answer', value: 'x'.repeat(4_000), step: 1 };
  await report(space, [saying(gives, 'dependency_resolved', answer)]);
  const end = await facts.end(large);
  assert.ok(end.event_type === 'mission_failed', end.event_type);
  assert.equal(end.payload.code, 'mission_too_large');
  for (const each of [before, await neighbour()])
    assert.equal((await facts.end(each)).event_type, 'mission_completed');
  assert.equal(await count(space, space.context.topics.dlq), 0);
  verifies(space);
});

test('an assignment that was lost is sent again, and begun once', { timeout: 120_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  const { facts, context } = space;
  const env = { RAVENHELM_SCHEDULE_TO_START_MS: '1000' };
  await space.start('orchestrator', { env });
  const mission = await space.submit({ tasks: [scriptedTask({ id: 'a', role: 'builder' })] });
  await facts.until(() => assignedIn(space, mission).length === 1, 'assignment');
  const topic = context.topics.tasks('builder');
  const [end] = await context.admin.fetchTopicOffsets(topic);
  await context.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: end?.high ?? '0' }] });
  assert.equal(await count(space, topic), 0);
  await space.start('worker', { env });
  assert.equal((await facts.end(mission)).event_type, 'mission_completed');
  const types = facts.of(mission).map(({ event_type }) => event_type);
  for (const type of ['task_assigned', 'task_started'])
    assert.equal(types.filter((each) => each === type).length, 1, type);
  verifies(space);
});

test('an assignment that its role cannot take is a dead letter, and its mission fails at once with a clear code', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  const { facts, context } = space;
  const { topics, admin, publisher, codec } = context;
  await Promise.all([space.start('orchestrator'), space.start('retrier')]);
  const mission = await space.submit({ tasks: [scriptedTask({ id: 'a', role: 'builder' })] });
  await facts.until(() => assignedIn(space, mission).length === 1, 'assignment');
  const [assigned] = assignedIn(space, mission);
  assert.ok(assigned !== undefined);
  // As an orchestrator without limits would have written it, in place of what was written.
  const topic = topics.tasks('builder');
  const [end] = await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: end?.high ?? '0' }] });
  const payload = { ...assigned.payload, description: 'd'.repeat(270_000) };
  await publisher.send(topic, [{ key: `${mission}/a`, value: codec.encode({ ...assigned, payload }) }]);
  await space.start('worker');
  const failed = await facts.end(mission);
  assert.ok(failed.event_type === 'mission_failed');
  assert.match(
    failed.payload.message,
    /\(assignment_refused\): role builder could not take .* \(record_too_large\)/,
  );
  assert.equal(facts.of(mission).filter(({ event_type }) => event_type === 'task_failed').length, 1);
  verifies(space);
});

test('a role whose topic is deleted under load: its tasks fail with a clear code, and nothing else stops', {
  timeout: 240_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['gone', 'stays'], partitions: 1 });
  const { facts, context } = space;
  await Promise.all([space.start('orchestrator'), space.start('worker', { args: ['--roles', 'stays'] })]);
  const lasting = () => space.submit({ tasks: [scriptedTask({ id: 'a', role: 'stays' })] });
  const doomed = (needs: readonly string[]) =>
    space.submit({
      tasks: [
        scriptedTask({ id: 'a', role: 'stays' }, [{ command: 'sleep 0.2' }]),
        scriptedTask({ id: 'b', role: 'gone', needs }),
      ],
    });
  // Some have an assignment on the topic that nobody has begun; the report of others leads to one.
  const [held, ...ahead] = [await doomed([]), await doomed(['a']), await lasting()];
  await facts.until(() => assignedIn(space, held ?? '').length === 2, 'assignment');
  await context.admin.deleteTopics({ topics: [context.topics.tasks('gone')] });
  const during: string[] = [];
  const late: string[] = [];
  for (let at = 0; at < 10; at += 1) {
    during.push(await lasting());
    late.push(await doomed(['a']));
    await sleep(200);
  }
  const clear = new Set(['topic_missing', 'role_unknown']);
  for (const mission of [held ?? '', ahead[0] ?? '', ...late]) {
    const end = await facts.end(mission, 180_000);
    if (end.event_type === 'mission_rejected') assert.ok(clear.has(end.payload.code), end.payload.code);
    else {
      assert.equal(end.event_type, 'mission_failed');
      const failed = facts.of(mission).find(({ event_type }) => event_type === 'task_failed');
      assert.ok(failed?.event_type === 'task_failed');
      assert.equal(failed.payload.code, 'topic_missing');
    }
  }
  for (const mission of [ahead[1] ?? '', ...during, await lasting()])
    assert.equal((await facts.end(mission)).event_type, 'mission_completed');
  assert.equal(await count(space, context.topics.dlq), 0, 'no report was blamed');
  verifies(space);
  // The namespace deletes all of its topics.
  await context.admin.createTopics({ topics: [{ topic: context.topics.tasks('gone'), numPartitions: 1 }] });
});
