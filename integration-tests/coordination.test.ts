/** What agents say and reactions report, on the real stack. The test speaks for the agents and for the correlator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionOf } from '#chassis/partitioner.ts';
import { readTopic } from '#chassis/reader.ts';
import type { ReportType } from '#orchestrator/input.ts';
import { createVerifier } from '#orchestrator/verify.ts';
import { noOptions } from '#schemas/mission-command.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, MissionOptions, PayloadOf } from '#schemas/types.gen.ts';
import { commandLine } from './command-line.ts';
import { type Namespace, openNamespace, scriptedTask } from './harness.ts';

const partitions = 2;
const noUsage = {
  ...{ input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 },
  ...{ cost_usd: 0, calls: 0 },
};
const subscription: MissionOptions['subscriptions'][number] = {
  name: 'on-approval',
  role: 'builder',
  on: { name: '', type: 'Approved', source: '', target: '', severity: '', topic: '', where: [] },
  reaction: { action: 'pause', task: null, emit: null, reason: '' },
  most: 0,
};

/** Puts reports onto the topic, in their order, as agents and the correlator do. */
function reporter({ context }: Namespace, mission: string) {
  const { codec, publisher, topics } = context;
  let sent = 0;
  return async <T extends ReportType>(event_type: T, payload: PayloadOf<T>, source = 'correlator') => {
    sent += 1;
    const event = {
      ...{
        event_id: `${mission}/test/${sent}`,
        event_type,
        source_agent: source,
        target_agent: 'orchestrator',
      },
      ...{ timestamp: Date.now(), version: 1, correlation_id: mission, causation_id: '', priority: 'normal' },
      ...{ sequence: 0, previous_hash: '', payload },
    } as unknown as EventOf<ReportType>;
    const partition = partitionOf(mission, partitions);
    await publisher.send(topics.reports, [{ key: mission, value: codec.encode(event), partition }]);
  };
}

/** The facts of a mission, awaited by their types. */
async function fact<T extends ReportType | 'task_assigned' | 'timer_fired' | 'plan_created'>(
  space: Namespace,
  mission: string,
  type: T,
  count = 1,
): Promise<EventOf<T>> {
  const found = () => space.facts.of(mission).filter((each) => each.event_type === type);
  await space.facts.until(() => found().length >= count, `${count} of ${type} in ${mission}`);
  return found()[count - 1] as unknown as EventOf<T>;
}

/** Decides the whole ledger again. */
async function verify({ context, facts }: Namespace, mission: string): Promise<void> {
  const verifier = createVerifier(context.codec);
  const findings: unknown[] = [];
  const end = facts.of(mission).at(-1);
  assert.ok(end);
  await readTopic({
    ...{ kafka: context.kafka, topic: context.topics.coordination, prefix: context.config.RAVENHELM_PREFIX },
    ...{ until: 'end', signal: AbortSignal.timeout(30_000) },
    each: ({ message, partition, offset }) => {
      if (message.value === null) return;
      const finding = verifier.feed({ bytes: message.value, partition, offset });
      if (finding !== null) findings.push(finding);
    },
  });
  const { findings: last, summary } = verifier.end();
  assert.deepEqual([...findings, ...last], []);
  assert.ok(summary.ended >= 1);
}

test('a mission of reactions begins with its events, does what they ask for, and ends when they have settled', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions });
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const mission = await space.submit({
    options: {
      ...noOptions,
      subscriptions: [subscription],
      events: [{ name: 'Approved', topic: 'story', severity: '', data: '{"story":7}' }],
    },
  });
  const plan = await fact(space, mission, 'plan_created');
  assert.deepEqual([plan.payload.made_by, plan.payload.tasks.length], ['reactions', 0]);
  const approved = await fact(space, mission, 'event_emitted');
  assert.deepEqual(JSON.parse(approved.payload.data), { story: 7 });

  const report = reporter(space, mission);
  const due_at = Date.now() + 1_500;
  const trigger = approved.event_id;
  await report('aggregation_started', {
    aggregation: 'both',
    expected: ['built', 'tested'],
    due_at,
    trigger,
  });
  const build = scriptedTask({ id: 'build', role: 'builder', context: 'story 7', hops: 1 }, [
    { command: 'echo built >> out.txt' },
  ]);
  const asked = { task: build, subscription: 'on-approval', trigger, reason: 'approved' };
  await report('task_requested', asked);
  // Sent again, as after a crash: nothing is done twice.
  await report('task_requested', asked);
  await report('task_requested', {
    ...asked,
    task: taskSpec({ id: 'unknown', role: 'nobody', hops: 1 }),
  });
  const refused = await fact(space, mission, 'error_raised');
  assert.equal(refused.payload.code, 'role_unknown');
  await fact(space, mission, 'task_completed');

  const timer = await fact(space, mission, 'timer_fired');
  assert.deepEqual(
    [timer.payload.timer, timer.payload.aggregation, timer.payload.due_at],
    ['aggregation', 'both', due_at],
  );
  assert.ok(timer.timestamp >= due_at);
  // Settled by what was known before the timer: too old.
  await report('reactions_settled', { up_to: timer.sequence - 1 });
  const end = { aggregation: 'both', received: ['built'], missing: ['tested'], events: [], hops: 1 };
  await report('aggregation_timed_out', end);
  await report('aggregation_completed', end);
  const closed = await fact(space, mission, 'aggregation_timed_out');
  await report('reactions_settled', { up_to: closed.sequence });
  const ended = await space.facts.end(mission);
  assert.equal(ended.event_type, 'mission_completed', JSON.stringify(ended.payload));

  const types = space.facts.of(mission).map(({ event_type }) => event_type);
  for (const once of ['task_requested', 'task_assigned', 'timer_fired', 'error_raised', 'reactions_settled'])
    assert.equal(types.filter((type) => type === once).length, 1, once);
  assert.ok(!types.includes('aggregation_completed'));
  await verify(space, mission);
});

test('a dependency parks its task over a kill of the orchestrator, a hand-over changes the role, a pause asks', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['asker', 'giver', 'other'], partitions });
  const first = await space.start('orchestrator');
  const mission = await space.submit({
    tasks: [taskSpec({ id: 'ask', role: 'asker' }), taskSpec({ id: 'give', role: 'giver' })],
  });
  // No worker runs: the test is the agents.
  await fact(space, mission, 'task_assigned', 2);
  const report = reporter(space, mission);
  const who = (task_id: string, attempt = 1, lease = 1) => ({
    task_id,
    attempt,
    lease,
    agent: `test-${task_id}`,
  });
  const journal = { journal_partition: 0, journal_offset: 0 };
  await report('task_started', { ...who('ask'), ...journal }, 'asker');
  await report('task_started', { ...who('give'), ...journal }, 'giver');
  await report(
    'context_synced',
    { ...who('give'), step: 1, scope: 'api', content_hash: '', content: 'v1' },
    'giver',
  );
  await report(
    'dependency_required',
    { ...who('ask'), step: 1, dependency: 'url', reason: 'to call it' },
    'asker',
  );
  await fact(space, mission, 'dependency_required');
  first.signal('SIGKILL');
  await first.exited;
  await space.start('orchestrator');

  const provided = { ...who('give'), step: 2, dependency: 'url', value: 'http://there' };
  await report('dependency_resolved', provided, 'giver');
  await report('dependency_resolved', provided, 'giver');
  const resumed = await fact(space, mission, 'task_assigned', 3);
  const { task_id, lease, answers, context } = resumed.payload;
  assert.deepEqual([task_id, lease, context], ['ask', 2, '## Shared: api\nv1']);
  assert.deepEqual(
    answers.map(({ review_id, step, decision, comment }) => [review_id, step, decision, comment]),
    [['dependency/url', 1, 'resolved', 'http://there']],
  );

  const spent = {
    steps: 2,
    journal_hash: '',
    usage: { ...noUsage, input_tokens: 9, calls: 1 },
    duration_ms: 5,
  };
  const over = { from_role: 'giver', to_role: 'other', context: 'half done', reason: 'not mine', step: 3 };
  await report('agent_handoff', { ...who('give'), ...over, ...spent }, 'giver');
  const given = await fact(space, mission, 'task_assigned', 4);
  assert.deepEqual([given.payload.role, given.payload.attempt, given.target_agent], ['other', 2, 'other']);
  assert.match(given.payload.context, /Handed over by giver \(not mine\):\nhalf done\n\n## Shared: api/);

  await report('pause_requested', { subscription: 'standing', trigger: given.event_id, reason: 'look' });
  const review = await space.facts.review(mission);
  assert.equal(review.kind, 'pause');
  await report('task_started', { ...who('ask', 1, 2), ...journal }, 'asker');
  await report('task_completed', { ...who('ask', 1, 2), result: 'asked', ...spent }, 'asker');
  await report('task_started', { ...who('give', 2), ...journal }, 'other');
  await report('task_completed', { ...who('give', 2), result: 'given', ...spent }, 'other');
  await fact(space, mission, 'task_completed', 2);
  await space.command({
    ...{ event_type: 'review_completed', source_agent: 'person:ann', correlation_id: mission },
    ...{ review_id: review.review_id, arguments_hash: '', decision: 'approved' },
  });
  const end = await space.facts.end(mission);
  assert.ok(end.event_type === 'mission_completed', JSON.stringify(end.payload));
  assert.deepEqual([end.payload.attempts, end.payload.usage.input_tokens], [3, 27]);
  // Nobody emits into a mission that is over.
  const event = { name: 'Late', topic: '', severity: '', data: '' };
  await space.command({
    event_type: 'event_emitted',
    source_agent: 'person:ann',
    correlation_id: mission,
    event,
  });
  await verify(space, mission);
  assert.equal(space.facts.of(mission).at(-1)?.event_id, end.event_id);
});

test('an aggregator that is one too many is refused, told, and holds its mission no longer', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions });
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const event = { name: '', type: 'Never', source: '', target: '', severity: '', topic: '', where: [] };
  const slow = { name: 'slow', events: [event], timeout_ms: 3_600_000, on_complete: null, on_timeout: null };
  const mission = await space.submit({
    tasks: [scriptedTask({ id: 'build', role: 'builder' }, [{ command: 'echo built' }])],
    options: { ...noOptions, aggregators: [slow] },
  });
  await fact(space, mission, 'plan_created');
  // As many standing ones as there may be: they hold no mission.
  const report = reporter(space, mission);
  const standing = Array.from({ length: 256 }, (_, at) => `standing-${at}`);
  const trigger = `${mission}:1`;
  await Promise.all(
    standing.map((aggregation) =>
      report('aggregation_started', { aggregation, expected: ['x'], due_at: 0, trigger }),
    ),
  );
  await fact(space, mission, 'aggregation_started', standing.length);
  await fact(space, mission, 'task_completed');
  await space.start('correlator');
  const { payload, causation_id } = await fact(space, mission, 'error_raised');
  assert.deepEqual([payload.code, payload.subscription], ['invalid_payload', 'slow']);
  assert.match(payload.message, /^aggregator slow: found 256 others that wait, which is the most$/);
  assert.equal(causation_id, `${trigger}/slow/started`);
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
  const { ravenhelm } = commandLine(space);
  const status = await ravenhelm(['aggregators', 'status', mission]);
  assert.match(status.stdout, /slow +refused +0 of 1 +Never/);
  await verify(space, mission);
});
