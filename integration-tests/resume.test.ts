/** A task outlives its worker: the next one goes on at the unfinished step. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openNamespace, scriptedTask } from './harness.ts';

const steps = Array.from({ length: 10 }, (_, i) => i + 1);
const limits = { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 2000, deadline_ms: 0, max_attempts: 1 };

test('kill -9 in the middle of a ten-step task: nothing finished is done again', {
  timeout: 90_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  await space.start('orchestrator');
  const first = await space.start('worker');
  const commands = steps.map((n) => ({ command: `echo ${n} >> runs.txt; sleep 0.2` }));
  const mission = await space.submit({
    tasks: [scriptedTask({ id: 'long', role: 'builder' }, commands)],
    limits,
  });
  const runs = space.file(mission, 'runs.txt');
  const lines = () => (existsSync(runs) ? readFileSync(runs, 'utf8').trim().split('\n').map(Number) : []);
  for (let i = 0; lines().length < 5 && i < 400; i++) await sleep(25);
  first.signal('SIGKILL');
  await first.exited;
  const atKill = lines();
  await space.start('worker');
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));

  const ran = lines();
  const again = ran.slice(atKill.length)[0] ?? 0;
  // The step that was in the air when the worker died may run twice, as it is idempotent; no other does.
  assert.ok(
    again === atKill.at(-1) || again === (atKill.at(-1) ?? 0) + 1,
    `ran ${ran}, killed after ${atKill}`,
  );
  assert.deepEqual([...new Set(ran)], steps);
  assert.ok(ran.length <= steps.length + 1, `ran ${ran}`);
  const facts = space.facts.of(mission).map(({ event_type }) => event_type);
  assert.equal(facts.filter((type) => type === 'task_started').length, 2);
  assert.equal(facts.filter((type) => type === 'task_attempt_failed').length, 0);
});

test('a worker that is frozen beyond its lease, and wakes when another has its task, does nothing more', {
  timeout: 90_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  await space.start('orchestrator');
  const frozen = await space.start('worker');
  const commands = steps.map((n) => ({ command: `echo ${n} >> runs.txt; sleep 0.2` }));
  const tasks = [scriptedTask({ id: 'long', role: 'builder' }, commands)];
  const mission = await space.submit({ tasks, limits });
  const runs = space.file(mission, 'runs.txt');
  const lines = () => (existsSync(runs) ? readFileSync(runs, 'utf8').trim().split('\n').map(Number) : []);
  for (let i = 0; lines().length < 3 && i < 400; i++) await sleep(25);
  frozen.signal('SIGSTOP');
  const inTheAir = lines().at(-1);
  await space.start('worker');
  const resumed = () =>
    space.facts.of(mission).filter(({ event_type }) => event_type === 'task_started').length === 2;
  await space.facts.until(resumed, 'a second start');
  frozen.signal('SIGCONT');
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
  const ran = lines();
  for (const step of steps) {
    const times = ran.filter((each) => each === step).length;
    // The command that ran when the worker froze went on without it, and nobody could know how it ended.
    const most = step === inTheAir || step === (inTheAir ?? 0) + 1 ? 2 : 1;
    assert.ok(times >= 1 && times <= most, `step ${step} ran ${times} times: ${ran}`);
  }
  await frozen.ready();
});

test('kill -9 right after claims: what was claimed and completed is not claimed again', {
  timeout: 90_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  await space.start('orchestrator');
  const first = await space.start('worker');
  const ids = Array.from({ length: 40 }, (_, i) => `t${i}`);
  const tasks = ids.map((id, i) =>
    scriptedTask({ id, role: 'builder' }, [{ command: `sleep ${(i % 8) * 0.05}; echo ${id} >> runs.txt` }]),
  );
  const mission = await space.submit({ tasks, limits });
  const completed = () =>
    space.facts
      .of(mission)
      .flatMap((fact) => (fact.event_type === 'task_completed' ? [fact.payload.task_id] : []));
  await space.facts.until(() => completed().length >= 5, 'five completed tasks');
  // The group's offsets follow only once a second: whoever went on from them would claim all of this again.
  first.signal('SIGKILL');
  await first.exited;
  const before = completed();
  await space.start('worker');
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
  const ran = readFileSync(space.file(mission, 'runs.txt'), 'utf8').trim().split('\n');
  for (const id of before) assert.equal(ran.filter((each) => each === id).length, 1, `${id} ran again`);
});

test('SIGTERM gives the task back at once, and the next worker goes on with it', {
  timeout: 90_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  await space.start('orchestrator');
  const env = { RAVENHELM_DRAIN_TIMEOUT_MS: '300' };
  const first = await space.start('worker', { env });
  const commands = steps.map((n) => ({ command: `echo ${n} >> runs.txt; sleep 0.2` }));
  const slowLease = { ...limits, lease_ms: 60_000 };
  const mission = await space.submit({
    tasks: [scriptedTask({ id: 'long', role: 'builder' }, commands)],
    limits: slowLease,
  });
  await space.facts.until(({ all }) => all.some(({ event }) => event.event_type === 'task_started'), 'start');
  await first.stop();
  assert.equal(await first.exited, 0);
  await space.start('worker', { env });
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
  assert.ok(space.facts.of(mission).some(({ event_type }) => event_type === 'task_released'));
});

test('an effect that must not happen twice, and whose outcome a kill hid, is not tried again', {
  timeout: 90_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  await space.start('orchestrator');
  const first = await space.start('worker');
  const command = { command: 'echo paid >> runs.txt; sleep 30', idempotent: false };
  const mission = await space.submit({
    tasks: [scriptedTask({ id: 'pay', role: 'builder' }, [command])],
    limits,
  });
  const runs = space.file(mission, 'runs.txt');
  for (let i = 0; !existsSync(runs) && i < 400; i++) await sleep(25);
  first.signal('SIGKILL');
  await space.start('worker');
  const asked = await space.facts.review(mission);
  assert.deepEqual([asked.kind, asked.task_id], ['reconcile', 'pay']);
  await space.command({
    event_type: 'review_completed',
    correlation_id: mission,
    review_id: asked.review_id,
    arguments_hash: asked.arguments_hash,
    decision: 'rejected',
    comment: 'the bank says it was paid',
  });
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_failed');
  const failed = space.facts.of(mission).find((fact) => fact.event_type === 'task_failed');
  assert.equal(failed?.event_type === 'task_failed' && failed.payload.code, 'outcome_unknown');
  assert.equal(readFileSync(runs, 'utf8'), 'paid\n');
});

test('cancelling a mission stops what runs', { timeout: 60_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const tasks = [scriptedTask({ id: 'slow', role: 'builder' }, [{ command: 'sleep 20; touch done' }])];
  const mission = await space.submit({ tasks });
  await space.facts.until(({ all }) => all.some(({ event }) => event.event_type === 'task_started'), 'start');
  await space.command({ event_type: 'mission_cancelled', correlation_id: mission, reason: 'enough' });
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_cancelled');
  await space.facts.until(
    ({ all }) => all.some(({ event }) => event.event_type === 'task_cancelled'),
    'cancellation',
  );
  // The next task gets the slot at once: the worker has let go of the cancelled one.
  const next = await space.submit({ tasks: [scriptedTask({ id: 'next', role: 'builder' })] });
  assert.equal((await space.facts.end(next)).event_type, 'mission_completed');
  assert.ok(!existsSync(space.file(mission, 'done')));
});
