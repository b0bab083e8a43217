import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noUsage } from '#schemas/usage.ts';
import { own } from './facts.ts';
import { planFrom } from './plan.ts';
import {
  assigned,
  attemptFailed,
  cancelled,
  completed,
  done,
  fact,
  failed,
  fired,
  fold,
  given,
  history,
  policy,
  start,
  started,
  submit,
  task,
  timer,
} from './scenario.ts';

const later = start + 1000;
const goOn = { policy: { ...policy, on_failure: 'continue' } };
const wave = (number: number, ...tasks: string[]) => own('wave_started', { wave: number, tasks });
const waveDone = (number: number, completed: number, failed: number) =>
  own('wave_completed', { wave: number, completed, failed });

describe('a task that fails', () => {
  const tasks = [task('a'), task('b'), task('c', ['a', 'b']), task('d', ['b'])];

  it('fails the whole mission, and whoever works is told to stop', () => {
    const { state } = history(submit(tasks), completed('b'));
    const why = 'task a failed (unauthorized): it broke';
    given(state)
      .when(attemptFailed('a', 'unauthorized'))
      .then([
        failed('a', 'unauthorized'),
        waveDone(1, 1, 1),
        cancelled('d', why),
        own('mission_failed', {
          code: 'task_failed',
          message: why,
          failed_tasks: ['a'],
          compensated: [],
          result: '',
          completed: 1,
          duration_ms: 1000,
          usage: noUsage,
        }),
      ]);
  });

  it('cancels with the mission what nobody had begun, without a fact', () => {
    const { decision } = given(history(submit(tasks)).state).when(attemptFailed('a', 'unauthorized'));
    assert.ok(decision.kind === 'facts');
    assert.deepEqual(
      decision.state.tasks.map(({ status }) => status),
      ['failed', 'cancelled', 'cancelled', 'cancelled'],
    );
    assert.equal(decision.facts.filter(({ event_type }) => event_type === 'task_cancelled').length, 1);
  });

  it('takes only its dependents with it when the mission goes on', () => {
    const { state, facts } = history(
      submit([...tasks, task('e', ['c'])], goOn),
      attemptFailed('a', 'unauthorized'),
      completed('b'),
    );
    const failing = facts.slice(facts.findIndex(({ event_type }) => event_type === 'task_failed') + 1);
    assert.deepEqual(failing.slice(0, 2), [
      cancelled('c', 'it needs a, which did not complete', { attempt: 0, lease: 0 }),
      cancelled('e', 'it needs c, which did not complete', { attempt: 0, lease: 0 }),
    ]);
    given(state)
      .when(completed('d'), later)
      .then([
        fact('task_completed', completed('d')),
        waveDone(2, 1, 0),
        own('mission_failed', {
          code: 'task_failed',
          message: 'failed: a; not done, as they need what failed: c, e',
          failed_tasks: ['a'],
          compensated: [],
          result: 'd is done',
          completed: 2,
          duration_ms: 1000,
          usage: noUsage,
        }),
      ]);
  });

  it('starts what does not depend on the failed one when the mission goes on', () => {
    const { state } = history(submit(tasks, goOn), attemptFailed('a', 'unauthorized'));
    given(state)
      .when(completed('b'))
      .then([
        fact('task_completed', completed('b')),
        waveDone(1, 1, 1),
        wave(2, 'c', 'd'),
        assigned('d', { wave: 2, needs: done('b') }),
      ]);
  });

  it('is tried again when its failure may pass, and given its place back to others meanwhile', () => {
    const { state } = history(submit(tasks, { policy: { ...policy, max_in_flight: 1 } }));
    const report = attemptFailed('a', 'temporary_failure');
    given(state)
      .when(report, later)
      .then([fact('task_attempt_failed', report, { retry_at: later + 1000 }), assigned('b')]);
  });

  it('has failed for good after its last attempt', () => {
    const { state } = history(submit([task('a', [], { max_attempts: 2 })]), attemptFailed('a', 'timeout'));
    const retrying = given(state).when(timer('retry', start + 1001, 'a'), start + 1001);
    retrying.then([fired(timer('retry', start + 1001, 'a')), assigned('a', { attempt: 2 })]);
    assert.ok(retrying.decision.kind === 'facts');
    const last = given(retrying.decision.state).when(
      attemptFailed('a', 'timeout', { attempt: 2 }),
      start + 1002,
    );
    assert.ok(last.decision.kind === 'facts');
    assert.deepEqual(
      last.decision.facts.map(({ event_type }) => event_type),
      ['task_failed', 'wave_completed', 'mission_failed'],
    );
  });
});

describe('a mission', () => {
  const tasks = [task('a'), task('b'), task('c', ['a', 'b'])];
  const accepted = (mission: ReturnType<typeof submit>) => {
    const { name, brief, policy, tasks: as, traceparent, roles, parent, depth, rules } = mission;
    const about = { name, brief, policy, tasks: as, traceparent, roles, parent, depth, rules };
    return own('mission_accepted', about);
  };

  it('is rejected when its plan cannot be', () => {
    const message = 'tasks[0].needs of a: found "x", expected the id of a task of the plan';
    given(null)
      .when(submit([task('a', ['x'])]))
      .then([own('mission_rejected', { code: 'invalid_plan', message, parent: null })]);
    given(null)
      .when(submit([], { brief: '' }))
      .then([
        own('mission_rejected', {
          code: 'invalid_mission',
          message: 'found neither a brief nor tasks, expected one of them',
          parent: null,
        }),
      ]);
    const refuse = {
      kind: 'refuse',
      mission_id: 'm1',
      priority: 'low',
      code: 'invalid_mission',
      parent: null,
    } as const;
    given(null)
      .when({ ...refuse, message: 'no' })
      .then([own('mission_rejected', { code: 'invalid_mission', message: 'no', parent: null })]);
  });

  it('starts with the tasks that need nothing', () => {
    const mission = submit(tasks);
    const plan = { tasks: planFrom(tasks, policy).tasks, waves: 2, made_by: 'mission', notes: [] };
    given(null)
      .when(mission)
      .then([accepted(mission), own('plan_created', plan), wave(1, 'a', 'b'), assigned('a'), assigned('b')]);
  });

  it('has no more in flight than it may', () => {
    const { state, facts } = history(submit(tasks, { policy: { ...policy, max_in_flight: 1 } }));
    assert.deepEqual(facts.at(-1), assigned('a'));
    given(state)
      .when(completed('a'))
      .then([fact('task_completed', completed('a')), assigned('b')]);
  });

  it('hands the results of what a task needs on, and ends with the last task', () => {
    const { state } = history(submit(tasks), started('a'), completed('a'));
    const second = given(state).when(completed('b'));
    second.then([
      fact('task_completed', completed('b')),
      waveDone(1, 2, 0),
      wave(2, 'c'),
      assigned('c', { wave: 2, needs: done('a', 'b') }),
    ]);
    assert.ok(second.decision.kind === 'facts');
    given(second.decision.state)
      .when(completed('c'), start + 5000)
      .then([
        fact('task_completed', completed('c')),
        waveDone(2, 1, 0),
        own('mission_completed', {
          tasks: 3,
          attempts: 3,
          duration_ms: 5000,
          result: 'c is done',
          missing: [],
          usage: noUsage,
        }),
      ]);
  });

  it('has the results of all its last tasks as its own, up to 8 KiB', () => {
    const long = 'x'.repeat(8192);
    const { facts } = history(submit([task('a'), task('b')]), completed('a'), completed('b', {}, long));
    const last = facts.at(-1);
    assert.ok(last?.event_type === 'mission_completed');
    assert.match(last.payload.result, /^a: a is done\nb: x+…$/);
    assert.equal(Buffer.byteLength(last.payload.result), 8192);
  });

  it('is cancelled, and so is each task that somebody may be working on', () => {
    const { state } = history(
      submit([...tasks, task('d'), task('e')], { policy: { ...policy, max_in_flight: 3 } }),
      started('a'),
      attemptFailed('b', 'timeout'),
      completed('d'),
    );
    const cancel = { kind: 'cancel', reason: 'enough', by: 'ann' } as const;
    const outcome = given(state).when(cancel);
    const why = 'the mission was cancelled';
    outcome.then([
      own('mission_cancelled', {
        ...{ reason: 'enough', cancelled_by: 'ann', completed: 1 },
        ...{ usage: noUsage, compensated: [] },
      }),
      cancelled('a', why),
      cancelled('b', why),
      cancelled('e', why),
    ]);
    assert.ok(outcome.decision.kind === 'facts');
    assert.deepEqual(
      outcome.decision.state.tasks.map(({ status }) => status),
      ['cancelled', 'cancelled', 'cancelled', 'completed', 'cancelled'],
    );
    given(outcome.decision.state).when(cancel, later).ignored('MissionEnded');
  });

  it('fails at its deadline', () => {
    const { state } = history(submit(tasks), completed('a'));
    const due = start + policy.deadline_ms;
    const message = `the mission did not end within ${policy.deadline_ms} ms`;
    given(state)
      .when(timer('deadline', due), due - 1)
      .ignored('TimerStale');
    given(state)
      .when(timer('deadline', due - 1), due)
      .ignored('TimerStale');
    given(state)
      .when(timer('deadline', due), due + 5)
      .then([
        fired(timer('deadline', due)),
        cancelled('b', message),
        own('mission_failed', {
          code: 'deadline_passed',
          message,
          failed_tasks: [],
          compensated: [],
          result: '',
          completed: 1,
          duration_ms: policy.deadline_ms + 5,
          usage: noUsage,
        }),
      ]);
  });

  it('never goes back in time', () => {
    const { state } = history(submit(tasks), started('a'));
    assert.throws(() => given(state).when(completed('a'), start), { code: 'internal_error' });
  });
});

describe('planning', () => {
  const asked = history(submit([]));
  const answer = (result: string) => given(asked.state).when(completed('plan', {}, result), later);
  const spec = asked.state.plan?.tasks[0];

  it('fails the mission when the answer is no plan', () => {
    const outcome = answer('I cannot');
    assert.ok(outcome.decision.kind === 'facts');
    const [first, last, ...more] = outcome.decision.facts;
    assert.deepEqual([first?.event_type, more.length], ['task_completed', 0]);
    assert.ok(last?.event_type === 'mission_failed');
    assert.equal(last.payload.code, 'invalid_plan');
    assert.match(last.payload.message, /^the plan is not one JSON document: /);
  });

  it('fails the mission when it fails, whatever the mission says of failures', () => {
    for (const on_failure of ['fail_fast', 'continue']) {
      const { facts } = history(
        submit([], { policy: { ...policy, on_failure } }),
        attemptFailed('plan', 'invalid_output'),
      );
      const last = facts.at(-1);
      assert.ok(last?.event_type === 'mission_failed');
      assert.deepEqual(last.payload.failed_tasks, ['plan']);
    }
  });

  it('is a task for the orchestrator role, in no wave', () => {
    const kinds = asked.facts.map(({ event_type }) => event_type);
    assert.deepEqual(kinds, ['mission_accepted', 'task_assigned']);
    assert.deepEqual([spec?.role, asked.state.status], ['orchestrator', 'planning']);
  });

  it('gives way to the plan it made, and a late report of it finds nothing', () => {
    const result = JSON.stringify({ tasks: [{ id: 'a', role: 'a_role' }] });
    const outcome = answer(result);
    const plan = planFrom([task('a')], policy);
    outcome.then([
      { ...fact('task_completed', completed('plan', {}, result)) },
      own('plan_created', { tasks: plan.tasks, waves: 1, made_by: 'orchestrator', notes: [] }),
      wave(1, 'a'),
      assigned('a'),
    ]);
    assert.ok(outcome.decision.kind === 'facts');
    assert.equal(outcome.decision.state.status, 'running');
    given(outcome.decision.state)
      .when(completed('plan', {}, result))
      .ignored('TaskUnknown');
  });
});

describe('folding', () => {
  it('refuses facts that cannot follow', () => {
    const first = history(submit([task('a')])).facts;
    const again = first.slice(0, 1);
    assert.throws(() => fold([...first, ...again]), { code: 'ledger_broken' });
    assert.throws(() => fold([assigned('a')]), { code: 'ledger_broken', message: /mission is not known/ });
    assert.throws(() => fold([...first, assigned('x')]), { code: 'ledger_broken', message: /no task x/ });
  });

  it('keeps results and messages short enough that a state fits into a record', () => {
    const tasks = Array.from({ length: 1000 }, (_, i) => task(`t${i}`));
    const wide = submit(tasks, { policy: { ...policy, max_in_flight: 1000 } });
    const long = 'x'.repeat(8192);
    const { state } = history(wide, ...tasks.slice(0, -1).map(({ id }) => completed(id, {}, long)));
    const kept = state.tasks.reduce((sum, { result }) => sum + Buffer.byteLength(result), 0);
    assert.ok(kept <= 128 * 1024 && kept > 100 * 1024, `${kept} bytes of results`);
  });
});
