import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTopic } from '#chassis/reader.ts';
import type { EventOf, TaskSpec } from '#schemas/types.gen.ts';
import { Fleet } from './fleet.ts';
import { type Facts, type Namespace, openNamespace, scriptedTask } from './harness.ts';
import { checkLedger } from './invariants.ts';

const role = 'busy';
/** One task at a time, each of a few hundredths of a second. */
const roleFiles = {
  [role]: `---
name: ${role}
description: takes one at a time
tools: [execute_terminal_command]
limits: { max_steps: 10, timeout_ms: 60000, concurrency: 1 }
sandbox: { shell: true }
---
Do what the task says.
`,
};
const nap = (id: string, more: Partial<TaskSpec> = {}): TaskSpec =>
  scriptedTask({ id, role, ...more }, [{ command: 'sleep 0.03' }]);
const naps = (count: number): TaskSpec[] => Array.from({ length: count }, (_, i) => nap(`t${i}`));

/** Every assignment on the topic of the role, in the order in which it was sent. */
async function sentTo(space: Namespace, of: string): Promise<EventOf<'task_assigned'>[]> {
  const { kafka, topics, codec } = space.context;
  const sent: EventOf<'task_assigned'>[] = [];
  await readTopic({
    ...{
      kafka,
      topic: topics.tasks(of),
      prefix: space.prefix,
      until: 'end',
      signal: AbortSignal.timeout(30_000),
    },
    each({ message }) {
      if (message.value === null) return;
      const { name, value } = codec.decode(message.value);
      if (name === 'TaskAssigned') sent.push(value);
    },
  });
  return sent;
}

const started = (facts: Facts) => facts.all.filter(({ event }) => event.event_type === 'task_started');
const began = (facts: Facts, mission: string): number =>
  started(facts).findIndex(({ event }) => event.correlation_id === mission);
const which = ({ correlation_id, payload }: EventOf<'task_assigned'>) =>
  `${correlation_id}/${payload.task_id}/${payload.attempt}/${payload.lease}`;

test('what is urgent overtakes what is not, and what is not is not starved', async (t) => {
  const space = await openNamespace(t, { roles: [role], roleFiles, partitions: 1 });
  const { facts } = space;
  const env = { RAVENHELM_OUTSTANDING: '2' };
  await Promise.all([space.start('orchestrator', { env }), space.start('worker')]);

  const low = await space.submit({ priority: 'low', tasks: naps(40) });
  await facts.until(() => began(facts, low) >= 0, 'start of the low mission');
  const high = await space.submit({ priority: 'high', tasks: naps(60) });
  const mixed = await space.submit({
    priority: 'normal',
    tasks: [nap('slow', { priority: 'low' }), nap('fast')],
  });
  await facts.until(() => began(facts, high) >= 0, 'start of the high mission');

  const before = started(facts).slice(0, began(facts, high));
  const lowBefore = before.filter(({ event }) => event.correlation_id === low).length;
  // Two were sent before it came, one ran, and each of these may have been followed by another meanwhile.
  assert.ok(lowBefore < 20, `${lowBefore} of 40 began before it`);

  await Promise.all([low, high, mixed].map((id) => facts.end(id)));
  const order = started(facts).map(({ event }) => event.correlation_id);
  const during = order.slice(order.indexOf(high), order.lastIndexOf(high));
  const lowDuring = during.filter((id) => id === low).length;
  const highDuring = during.filter((id) => id === high).length;
  assert.ok(lowDuring >= 1, 'the low mission goes on meanwhile');
  assert.ok(highDuring > 5 * lowDuring, `${highDuring} of high and ${lowDuring} of low priority`);
  assert.ok(order.lastIndexOf(high) < order.lastIndexOf(low), 'the high mission is done first');
  const ofMixed = started(facts).flatMap(({ event }) =>
    event.event_type === 'task_started' && event.correlation_id === mixed ? [event.payload.task_id] : [],
  );
  assert.deepEqual(ofMixed, ['fast', 'slow']);
  checkLedger(
    facts.all,
    new Map([
      [low, naps(40)],
      [high, naps(60)],
      [mixed, [nap('slow'), nap('fast')]],
    ]),
  );
});

test('what waits outlives kill -9 of the orchestrator: nothing is lost, and nothing is sent twice', async (t) => {
  const space = await openNamespace(t, { roles: [role], roleFiles, partitions: 2 });
  const { facts } = space;
  const fleet = new Fleet(space);
  const env = { RAVENHELM_OUTSTANDING: '2', MAX_WORKERS_PER_ROLE: '1' };
  const orchestrator = await fleet.add('orchestrator', { env });

  const missions = new Map<string, TaskSpec[]>();
  for (const priority of ['low', 'normal', 'high', 'low'] as const) {
    const tasks = naps(20);
    missions.set(await space.submit({ priority, tasks }), tasks);
  }
  const assigned = () => facts.all.filter(({ event }) => event.event_type === 'task_assigned').length;
  await facts.until(() => assigned() === 80, 'assignment of all tasks');
  assert.ok((await sentTo(space, role)).length <= 2 * 2, 'most of them wait');

  fleet.kill(orchestrator);
  await space.start('worker');
  for (const count of [10, 30, 50]) {
    await facts.until(() => started(facts).length >= count, `start of ${count} tasks`);
    fleet.kill(orchestrator);
  }
  await Promise.all([...missions.keys()].map((id) => facts.end(id, 120_000)));

  const sent = (await sentTo(space, role)).map(which);
  const wanted = facts.all.flatMap(({ event }) =>
    event.event_type === 'task_assigned' ? [which(event)] : [],
  );
  assert.equal(new Set(sent).size, sent.length, 'nothing is sent twice');
  assert.deepEqual(new Set(sent), new Set(wanted), 'everything that was assigned is sent');
  checkLedger(facts.all, missions);
});
