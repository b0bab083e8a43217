/** The checker of the fault campaign on real services: it finds nothing where nothing is wrong, and each forged record. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Checker } from './faults/checker/checker.ts';
import type { Seen } from './faults/checker/reader.ts';
import { findJdk } from './faults/checker/reader.ts';
import { Violations } from './faults/checker/violations.ts';
import { openNamespace, scriptedTask } from './harness.ts';

const jdk = await findJdk(AbortSignal.timeout(30_000));
const options = { timeout: 300_000, skip: jdk.found ? false : `no JDK: ${jdk.why}` };

test('a mission as it was written, and then records of it once more', options, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 2 });
  const { context, prefix } = space;
  const { missions, reports, coordination, steps, status, dlq, tasks, state } = context.topics;
  const violations = new Violations(() => {});
  const states = [state('orchestrator'), state('worker-builder')];
  const topics = { missions, reports, coordination, steps, status, dlq, tasks: [tasks('builder')], states };
  const checker = new Checker({
    brokers: process.env['KAFKA_BROKERS'] ?? '',
    registry: process.env['SCHEMA_REGISTRY_URL'] ?? '',
    topics,
    violations,
  });
  space.beforeClose(() => checker.close());
  const newest = new Map<string, Seen>();
  const judge = checker.judge.bind(checker);
  checker.judge = (seen, event) => {
    newest.set(`${seen.topic} ${event?.event_type || seen.key}`, seen);
    judge(seen, event);
  };
  await checker.start(t.signal);
  const orchestrator = await space.start('orchestrator');
  const worker = await space.start('worker', { args: ['--roles', 'builder'] });
  const plan = [
    scriptedTask({ id: 'a', role: 'builder' }, [{ command: 'echo a' }]),
    scriptedTask({ id: 'b', role: 'builder' }, [{ command: 'echo b' }]),
    scriptedTask({ id: 'c', role: 'builder', needs: ['a', 'b'] }),
  ];
  const ids = [await space.submit({ tasks: plan }), await space.submit({ tasks: plan })];
  for (const id of ids) assert.equal((await space.facts.end(id)).event_type, 'mission_completed');
  await checker.checkQuiet(new Set(ids), t.signal);
  assert.deepEqual(violations.all, []);
  assert.equal(violations.repeated, 0);
  assert.deepEqual(
    [...checker.missions.keys()].toSorted(),
    ids.toSorted(),
    `nothing but the missions of ${prefix}`,
  );

  // A worker would take an assignment that is forged for one of its own.
  await Promise.all([orchestrator.stop(), worker.stop()]);
  /** What is found once the newest record of this kind was written again. */
  const again = async (topic: string, type: string): Promise<string> => {
    const seen = newest.get(`${topic} ${type}`);
    assert.ok(seen, `no ${type} in ${topic}: ${[...newest.keys()].join(', ')}`);
    const { key, value, partition } = seen;
    const before = violations.all.length;
    await context.publisher.send(topic, [{ key, value, partition }]);
    await checker.checkQuiet(new Set(ids), t.signal);
    return violations.all
      .slice(before)
      .map(({ kind, what }) => `${kind}: ${what}`)
      .join();
  };
  assert.match(await again(coordination, 'mission_completed'), /^duplicated: fact \d+ .* twice/);
  assert.match(await again(tasks('builder'), 'task_assigned'), /^duplicated: assignment .* twice/);
  assert.match(await again(reports, 'task_started'), /^duplicated: lease .* was claimed twice/);
  assert.match(await again(status, 'mission_status'), /^duplicated: status .* twice/);
  assert.equal(await again(reports, 'task_completed'), '');
  assert.equal(await again(steps, 'tool_call_ended'), '');
  assert.equal(violations.repeated, 2);
});
