import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { after, decided, types } from './saga-scenario.ts';
import {
  answer,
  attemptFailed,
  completed,
  given,
  missionId,
  policy,
  started,
  submit,
  task,
  timer,
} from './scenario.ts';
import { shownStatus } from './undoing.ts';

describe('on_failure: suspend', () => {
  const suspending = (tasks: readonly TaskSpec[]) =>
    submit(tasks, { policy: { ...policy, on_failure: 'suspend', max_attempts: 2, max_in_flight: 2 } });
  const tasks = [task('a'), task('b'), task('c'), task('d', ['a'])];
  const failing = [suspending(tasks), started('a'), started('b'), attemptFailed('a', 'unauthorized')];
  const review = `${missionId}/suspend/0`;

  it('assigns nothing new; what runs goes on, and then a person is asked', () => {
    assert.deepEqual(
      types(decided(after(...failing.slice(0, -1)), attemptFailed('a', 'unauthorized')).facts),
      ['task_failed a'],
    );
    const { facts, state } = decided(after(...failing), completed('b'));
    assert.deepEqual(types(facts), ['task_completed b', 'review_requested']);
    const last = facts.at(-1);
    assert.ok(last?.event_type === 'review_requested');
    assert.deepEqual(
      [last.payload.kind, last.payload.review_id, last.payload.reason],
      ['suspend', review, 'task a failed (unauthorized): it broke'],
    );
    assert.equal(shownStatus(state), 'suspended');
  });

  it('goes on with a fresh set of attempts, and with all that had not begun', () => {
    const { facts, state } = decided(after(...failing, completed('b')), answer(review, 'approved', ''));
    assert.deepEqual(types(facts), ['review_completed', 'task_assigned a', 'task_assigned c']);
    const second = { attempt: 2 };
    const { facts: retried } = decided(state, attemptFailed('a', 'timeout', second));
    assert.deepEqual(types(retried), ['task_attempt_failed a']);
    const { facts: ok } = decided(decided(state, completed('a', second)).state, completed('c'));
    assert.deepEqual(types(ok), ['task_completed c', 'wave_completed']);
  });

  it('asks again when it fails again, under another id', () => {
    const { state } = decided(after(...failing, completed('b')), answer(review, 'approved', ''));
    const again = decided(
      decided(state, attemptFailed('a', 'unauthorized', { attempt: 2 })).state,
      completed('c'),
    );
    const last = again.facts.at(-1);
    assert.ok(last?.event_type === 'review_requested' && last.payload.review_id === `${missionId}/suspend/1`);
  });

  it('fails as a mission that fails fast when the person says no', () => {
    const { facts } = decided(after(...failing, completed('b')), answer(review, 'rejected', ''));
    const last = facts.at(-1);
    assert.ok(last?.event_type === 'mission_failed');
    assert.equal(last.payload.message, 'task a failed (unauthorized): it broke (ann)');
    assert.deepEqual(last.payload.failed_tasks, ['a']);
  });

  it('asks when all tasks have ended, too, and when the planner failed', () => {
    const { facts } = decided(
      after(suspending([task('a')]), started('a')),
      attemptFailed('a', 'unauthorized'),
    );
    assert.deepEqual(types(facts), ['task_failed a', 'wave_completed', 'review_requested']);
    const brief = submit([], {
      policy: { ...policy, on_failure: 'suspend', options: { ...policy.options, planner: 'model' } },
    });
    const planner = decided(after(brief, started('plan')), attemptFailed('plan', 'key_missing'));
    assert.deepEqual(types(planner.facts), ['task_failed plan', 'review_requested']);
    const { facts: again, state } = decided(planner.state, answer(review, 'approved', ''));
    assert.deepEqual([...types(again), state.status], ['review_completed', 'task_assigned plan', 'planning']);
  });

  it('ends by its deadline all the same', () => {
    const state = after(...failing, completed('b'));
    const { decision } = given(state).when(timer('deadline', state.deadline_at), state.deadline_at);
    assert.ok(decision.kind === 'facts');
    assert.equal(decision.facts.at(-1)?.event_type, 'mission_failed');
  });
});
