/** What was done is undone: in order, exactly once, whoever dies or says no meanwhile. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import type { EventOf, TaskSpec } from '#schemas/types.gen.ts';
import { query, verifyAll } from './books.ts';
import { commandLine } from './command-line.ts';
import { type Namespace, openNamespace, realRoles, scriptedTask } from './harness.ts';

const file = resolve(import.meta.dirname, '..', 'missions', 'deploy-feature.yaml');
const roles = ['docker_agent', 'hlidskjalf_agent', 'env_agent', 'proxy_agent'];
const steps = ['build', 'tests', 'staging', 'e2e', 'production'];

const linesOf = (space: Namespace, mission: string, name: string): string[] => {
  const path = space.file(mission, name);
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};
const limits = { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 1_500, deadline_ms: 0, max_attempts: 1 };

/** A step that writes down that it was done; its undoing writes that, after whatever else it has to do first. */
function step(id: string, needs: readonly string[], first = 'true'): TaskSpec {
  const undo = `${first}; grep -qx 'undone ${id}' log || echo 'undone ${id}' >> log`;
  const { script } = scriptedTask({ id, role: 'worker' }, [{ command: `set -e; ${undo}` }]);
  return scriptedTask({ id, role: 'worker', needs, compensation: { description: `Undo ${id}.`, script } }, [
    { command: `echo 'done ${id}' >> log` },
  ]);
}
const fails = (needs: readonly string[], command = 'exit 1') =>
  scriptedTask({ id: 'last', role: 'worker', needs }, [{ command }]);
const chain = (first: string) => [step('a', []), step('b', ['a'], first), step('c', ['b']), fails(['c'])];

const has = (space: Namespace, mission: string, type: string, task_id: string, lease = 0) =>
  space.facts.of(mission).some(({ event_type, payload }) => {
    const said = { task_id: '', lease, ...payload };
    return event_type === type && said.task_id === task_id && (lease === 0 || said.lease === lease);
  });
const undone = (space: Namespace, mission: string) =>
  space.facts
    .of(mission)
    .flatMap((fact) => (fact.event_type === 'compensation_completed' ? [fact.payload.compensates] : []));

test('the example undoes exactly what was done, at whatever step it fails', {
  timeout: 240_000,
}, async (t) => {
  const space = await openNamespace(t, { roles, roleFiles: realRoles(...roles) });
  await Promise.all([space.start('orchestrator'), space.start('worker'), space.start('projector')]);
  const { ravenhelm } = commandLine(space);

  await Promise.all(
    steps.map(async (failing, position) => {
      const mission = `deploy-${failing}`;
      const done = steps.slice(0, position);
      const back = done.toReversed();
      const { code, stdout } = await ravenhelm([
        'run',
        file,
        '--fail-at',
        failing,
        '--id',
        mission,
        '--plain',
      ]);
      assert.equal(code, 1, stdout);
      const end = await space.facts.end(mission);
      assert.ok(end.event_type === 'mission_failed');
      assert.deepEqual(end.payload.compensated, back);
      assert.deepEqual(end.payload.failed_tasks, [failing]);
      assert.match(
        end.payload.message,
        new RegExp(`^task ${failing} failed \\(tool_failed\\): .*a drill`, 's'),
      );
      // What stands outside the log: every line of what was done has its line of what was undone, in reverse.
      assert.deepEqual(linesOf(space, mission, 'deployment.log'), [
        ...done.map((id) => `done ${id}`),
        ...back.map((id) => `undone ${id}`),
      ]);
      for (const left of ['build', 'staging', 'production', 'reports']) {
        assert.ok(!existsSync(space.file(mission, left)), `${failing}: ${left} is still there`);
      }
      if (done.length > 0) assert.match(stdout, new RegExp(`↩ undone: ${back.join(', ')}\n`));
    }),
  );

  const { code, stdout } = await ravenhelm(['run', file, '--id', 'deploy-all', '--plain']);
  assert.equal(code, 0, stdout);
  assert.deepEqual(
    linesOf(space, 'deploy-all', 'deployment.log'),
    steps.map((id) => `done ${id}`),
  );
  assert.deepEqual(readdirSync(space.file('deploy-all', 'production')).toSorted(), ['2.0.0', 'current']);
  const wrong = await ravenhelm(['run', file, '--fail-at', 'launch']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /found "launch", expected one of build, tests, staging, e2e, production/);
  const rows = await query<{ task_id: string; status: string }>(
    space,
    `select task_id, status from tasks where mission_id = $1 and compensates <> '' order by position`,
    ['deploy-production'],
  );
  assert.deepEqual(
    rows.map(({ task_id, status }) => `${task_id} ${status}`),
    steps
      .slice(0, 4)
      .toReversed()
      .map((id) => `undo-${id} completed`),
  );
  await verifyAll(space);
});

test('people, and those that die, in the middle of a saga', { timeout: 240_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['worker'] });
  await Promise.all([space.start('orchestrator'), space.start('projector')]);
  let worker = await space.start('worker');
  const { ravenhelm } = commandLine(space);
  const submit = (tasks: readonly TaskSpec[], on_failure: string) =>
    space.submit({ tasks, on_failure, limits });

  await t.test('a compensation that fails asks a person, and goes on after a yes', async () => {
    const mission = await submit(chain('test -e mended'), 'compensate');
    const review = await space.facts.review(mission);
    assert.equal(review.kind, 'compensation');
    assert.deepEqual(undone(space, mission), ['c']);
    let listed = await ravenhelm(['reviews', '--mission', mission]);
    for (const late = Date.now() + 20_000; !listed.stdout.includes(review.review_id); ) {
      assert.ok(Date.now() < late, listed.stdout + listed.stderr);
      listed = await ravenhelm(['reviews', '--mission', mission]);
    }
    assert.match(listed.stdout, /task undo-b could not undo what was done: shall it be tried again\?/);
    const shown = await ravenhelm(['mission', mission]);
    assert.match(shown.stdout, /compensating/);
    assert.match(shown.stdout, /↩ undone: c\n! to be undone: b, a\n/);
    writeFileSync(space.file(mission, 'mended'), '');
    const said = await ravenhelm(['approve', review.review_id]);
    assert.equal(said.code, 0, said.stderr);
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_failed');
    assert.deepEqual(end.payload.compensated, ['c', 'b', 'a']);
    const done = ['a', 'b', 'c'];
    assert.deepEqual(linesOf(space, mission, 'log'), [
      ...done.map((id) => `done ${id}`),
      ...done.toReversed().map((id) => `undone ${id}`),
    ]);
  });

  await t.test('what was undone by hand is passed over, and a no says what is left', async () => {
    const mission = await submit(chain('exit 1'), 'compensate');
    const first = await space.facts.review(mission);
    assert.equal(
      (await ravenhelm(['approve', first.review_id, '--happened', '--comment', 'by hand'])).code,
      0,
    );
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_failed');
    assert.deepEqual(end.payload.compensated, ['c', 'b', 'a']);
    assert.deepEqual(linesOf(space, mission, 'log').slice(3), ['undone c', 'undone a']);

    const other = await submit(chain('exit 1'), 'compensate');
    const again = await space.facts.review(other);
    assert.equal((await ravenhelm(['reject', again.review_id, '--comment', 'leave it'])).code, 0);
    const stopped = await space.facts.end(other);
    assert.ok(stopped.event_type === 'mission_failed');
    assert.deepEqual(stopped.payload.compensated, ['c']);
    assert.match(
      stopped.payload.message,
      /the undoing was stopped \(.*leave it\): undone: c; not undone: b, a$/,
    );
  });

  await t.test('what is cancelled is undone, and ends as cancelled', async () => {
    const wait = fails(['a'], 'while [ ! -e never ]; do sleep 0.1; done');
    const mission = await submit([step('a', []), wait], 'compensate');
    await space.facts.until(() => has(space, mission, 'task_started', 'last'), 'start of last');
    assert.equal((await ravenhelm(['cancel', mission, '--reason', 'enough'])).code, 0);
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_cancelled');
    assert.deepEqual([end.payload.reason, end.payload.compensated], ['enough', ['a']]);
    assert.deepEqual(linesOf(space, mission, 'log'), ['done a', 'undone a']);
  });

  await t.test('a suspended mission goes on when it is redriven', async () => {
    const flaky = fails(['a'], 'test -e mended');
    const mission = await submit([step('a', []), flaky, step('z', ['last'])], 'suspend');
    const review = await space.facts.review(mission);
    assert.equal(review.kind, 'suspend');
    writeFileSync(space.file(mission, 'mended'), '');
    assert.equal((await ravenhelm(['approve', review.review_id])).code, 0);
    const end = await space.facts.end(mission);
    assert.equal(end.event_type, 'mission_completed');
    assert.deepEqual(linesOf(space, mission, 'log'), ['done a', 'done z']);
  });

  await t.test('a worker is killed in the middle of an undoing', async () => {
    const halfway = "echo 'began b' >> log; while [ ! -e go ]; do sleep 0.1; done";
    const mission = await submit(chain(halfway), 'compensate');
    await space.facts.until(() => has(space, mission, 'task_started', 'undo-b'), 'start of undo-b');
    for (const late = Date.now() + 20_000; !linesOf(space, mission, 'log').includes('began b'); ) {
      assert.ok(Date.now() < late, 'undo-b does nothing');
      await space.facts.until(() => true, 'a look');
      await new Promise((done) => setTimeout(done, 50));
    }
    worker.signal('SIGKILL');
    await worker.exited;
    worker = await space.start('worker');
    await space.facts.until(() => has(space, mission, 'task_started', 'undo-b', 2), 'resume of undo-b');
    writeFileSync(space.file(mission, 'go'), '');
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_failed');
    assert.deepEqual(end.payload.compensated, ['c', 'b', 'a']);
    const lines = linesOf(space, mission, 'log').filter((line) => line.startsWith('undone'));
    assert.deepEqual(lines, ['undone c', 'undone b', 'undone a'], 'each once');
    const assigned = space.facts
      .of(mission)
      .filter((fact): fact is EventOf<'task_assigned'> => fact.event_type === 'task_assigned')
      .filter(({ payload }) => payload.task_id === 'undo-b');
    assert.deepEqual(
      assigned.map(({ payload }) => [payload.attempt, payload.lease]),
      [
        [1, 1],
        [1, 2],
      ],
    );
  });

  await verifyAll(space);
});
