/** What the broker will never take stops neither its partition nor anything else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { applyTopics } from '#chassis/admin.ts';
import type { Outbox } from '#chassis/outbox.ts';
import type { InputRecord, PartitionLogic } from '#chassis/processor.ts';
import { readTopic } from '#chassis/reader.ts';
import { transactionalIds } from '#chassis/service.ts';
import { topicTable } from '#topics/table.ts';
import { type Namespace, openNamespace, scriptedTask } from './harness.ts';

/** The records of a topic, as text: key, and the code that a dead letter has. */
async function read(space: Namespace, topic: string): Promise<string[]> {
  const found: string[] = [];
  await readTopic({
    kafka: space.context.kafka,
    topic,
    prefix: space.prefix,
    until: 'end',
    signal: AbortSignal.timeout(60_000),
    each: ({ message: { key, headers } }) =>
      void found.push([key?.toString(), headers?.['ravenhelm.code']?.toString()].filter(Boolean).join(' ')),
  });
  return found;
}

/** Tries now and then; fails after two minutes. */
async function until(done: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + 120_000; !(await done()); await sleep(500))
    assert.ok(performance.now() < deadline, what);
}

/** Sends the key of each input on, and a mebibyte and more for the key `huge`. */
class Passing implements PartitionLogic {
  private readonly to: string;
  private readonly handled: (key: string) => void;

  constructor(to: string, handled: (key: string) => void) {
    this.to = to;
    this.handled = handled;
  }

  restore(): void {}
  restored(): void {}
  ready(): boolean {
    return true;
  }

  handle({ key }: InputRecord, _now: number, out: Outbox) {
    const value = key === 'huge' ? Buffer.alloc(1_200_000) : Buffer.from('x');
    out.send(this.to, { key, value, partition: 0 });
    out.afterCommit(() => this.handled(key ?? ''));
    return 'lazy' as const;
  }

  nextAlarm(): null {
    return null;
  }
  alarm(): void {}
  changes(): [] {
    return [];
  }
  close(): void {}
}

test('an input whose output is larger than the broker takes becomes a dead letter, and the inputs around it go on', {
  timeout: 240_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['echo'], partitions: 1 });
  const { context } = space;
  const { topics, config, codec, publisher } = context;
  const event = codec.encode({
    ...{ event_id: 'e', event_type: 'insight_shared', source_agent: 'test', target_agent: '', timestamp: 0 },
    ...{
      version: 1,
      correlation_id: '',
      causation_id: '',
      priority: 'normal',
      sequence: 0,
      previous_hash: '',
    },
    payload: { pattern: 'n', insight: '', tags: [], expires_at: 0 },
  });
  const keys = [
    ...Array.from({ length: 20 }, (_, i) => `a${i}`),
    'huge',
    ...Array.from({ length: 20 }, (_, i) => `b${i}`),
  ];
  await publisher.send(
    topics.tasks('echo'),
    keys.map((key) => ({ key, value: event, partition: 0 })),
  );
  const committed: string[] = [];
  const consumer = await context.consume({
    service: 'worker-echo',
    inputs: [topics.tasks('echo')],
    stateTopic: topics.state('worker-echo'),
    barrierTopic: null,
    transactionalIds: transactionalIds(config.RAVENHELM_PREFIX, 'worker-echo', 1),
    open: () => new Passing(topics.steps, (key) => committed.push(key)),
  });
  try {
    for (let waited = 0; !committed.includes('b19') && waited < 90_000; waited += 50) await sleep(50);
  } finally {
    await consumer.stop(2000);
  }
  const others = keys.filter((key) => key !== 'huge');
  assert.deepEqual(committed, others);
  assert.deepEqual(await read(space, topics.steps), others);
  assert.deepEqual(await read(space, topics.dlq), ['huge output_refused']);
});

test('a role topic that is deleted under load is a clear failure, and nothing else stops', {
  timeout: 420_000,
}, async (t) => {
  const roles = ['builder', 'tester'];
  const space = await openNamespace(t, { roles, partitions: 2 });
  const { context, facts } = space;
  const services = await Promise.all([
    space.start('orchestrator'),
    space.start('worker'),
    space.start('retrier'),
  ]);
  const exits: (number | null)[] = [];
  for (const service of services) void service.exited.then((code) => exits.push(code));
  const missionOf = (...of: string[]) => ({
    tasks: of.map((role, i) => scriptedTask({ id: `t${i}`, role, needs: i === 0 ? [] : [`t${i - 1}`] })),
  });
  const submit = (count: number, ...of: string[]) =>
    Promise.all(Array.from({ length: count }, () => space.submit(missionOf(...of))));
  const completed = async (missions: readonly string[]) => {
    for (const mission of missions)
      assert.equal((await facts.end(mission, 120_000)).event_type, 'mission_completed', mission);
  };
  await completed([...(await submit(2, 'builder')), ...(await submit(2, 'tester'))]);

  // Missions of both roles are under way, and some come to need the topic only after it is gone.
  const load = await submit(20, 'builder', 'tester', 'builder');
  await context.admin.deleteTopics({ topics: [context.topics.tasks('tester')] });
  const others = await submit(20, 'builder');
  const began = performance.now();
  await completed(others);
  t.diagnostic(
    `missions of the other role completed ${Math.round(performance.now() - began)} ms after the deletion`,
  );

  // Once the orchestrator has noticed, a mission that needs the role is refused at once.
  await until(async () => {
    const end = await facts.end(await space.submit(missionOf('tester')), 5000).catch(() => null);
    return end?.event_type === 'mission_rejected' && end.payload.code === 'role_unknown';
  }, 'a mission of the missing role is rejected: role_unknown');
  await completed(await submit(5, 'builder'));

  // The topic comes back, and with it the role.
  const table = topicTable({ prefix: space.prefix, roles, partitions: 2, replication: 1 });
  await applyTopics(context.admin, table, AbortSignal.timeout(60_000));
  await until(async () => {
    const end = await facts.end(await space.submit(missionOf('tester')), 20_000).catch(() => null);
    return end?.event_type === 'mission_completed';
  }, 'a mission of the role completes again');
  const ended = load.filter((mission) =>
    facts.of(mission).some(({ event_type }) => event_type === 'mission_completed'),
  );
  t.diagnostic(`${ended.length} of ${load.length} missions that needed the topic completed`);
  assert.deepEqual(exits, [], 'no service has ended');
});
