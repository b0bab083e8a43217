import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  attemptFailed,
  completed,
  history,
  policy,
  start,
  started,
  submit,
  task,
  timer,
} from './scenario.ts';
import { dueTimers, nextDue, renewLease, timerId } from './timers.ts';

const deadline = start + policy.deadline_ms;

describe('timers', () => {
  it('are none after the end of a mission', () => {
    const { state } = history(submit([task('a')]), started('a'), completed('a'));
    assert.equal(nextDue(state), null);
    assert.deepEqual(dueTimers(state, deadline), []);
  });

  it('let an assigned task wait for an agent until the deadline', () => {
    const { state } = history(submit([task('a')]));
    assert.equal(nextDue(state), deadline);
    assert.deepEqual(dueTimers(state, deadline - 1), []);
  });

  it('come due by time, then by position in the plan', () => {
    const tasks = [task('a'), task('b'), task('c'), task('d', [], { timeout_ms: policy.lease_ms - 2 })];
    const { state } = history(
      submit(tasks),
      attemptFailed('c', 'timeout'),
      started('b'),
      started('d'),
      started('a'),
    );
    assert.equal(nextDue(state), start + 1001);
    assert.deepEqual(dueTimers(state, start + 1000), []);
    const lease = (id: string, at: number) => timer('lease', start + at + policy.lease_ms, id);
    const timeout = (id: string, at: number) => timer('timeout', start + at, id);
    const { lease_ms, task_timeout_ms: most } = policy;
    assert.deepEqual(dueTimers(state, deadline), [
      timer('retry', start + 1001, 'c'),
      timeout('d', 3 + lease_ms - 2),
      lease('b', 2),
      lease('d', 3),
      lease('a', 4),
      timeout('b', 2 + most),
      timeout('a', 4 + most),
      timer('deadline', deadline),
    ]);
  });

  it('of one moment come in the order of the plan, the deadline first', () => {
    const { state } = history(submit([task('a'), task('b')]), started('a'), started('b'));
    const same = {
      ...state,
      deadline_at: 5,
      tasks: state.tasks.map((each) => ({ ...each, lease_until: 5 })),
    };
    assert.deepEqual(
      dueTimers(same, 5).map(({ timer: kind, task_id }) => `${kind} ${task_id}`),
      ['deadline ', 'lease a', 'lease b'],
    );
  });

  it('have an id that says which', () => {
    assert.equal(timerId('m1', timer('lease', 5, 'a', { lease: 2 })), 'm1:timer:lease:a:1:2:5');
  });
});

describe('a renewal', () => {
  const { state } = history(submit([task('a'), task('b'), task('c', ['a'])]), started('a'));
  const leaseUntil = start + 1 + policy.lease_ms;

  it('that does not count says why', () => {
    const later = leaseUntil + 1;
    assert.equal(renewLease(null, 'a', 1, 1, later), 'MissionUnknown');
    assert.equal(renewLease(state, 'x', 1, 1, later), 'TaskUnknown');
    assert.equal(renewLease(state, 'a', 2, 1, later), 'AttemptStale');
    assert.equal(renewLease(state, 'a', 1, 2, later), 'LeaseStale');
    assert.equal(renewLease(state, 'b', 1, 1, later), 'NotStarted');
    assert.equal(renewLease(state, 'c', 1, 1, later), 'NotAssigned');
    const ended = history(submit([task('a')]), completed('a')).state;
    assert.equal(renewLease(ended, 'a', 1, 1, later), 'MissionEnded');
  });

  it('moves the lease forward, never back', () => {
    const renewed = renewLease(state, 'a', 1, 1, leaseUntil + 500);
    assert.ok(typeof renewed !== 'string');
    assert.equal(nextDue(renewed), leaseUntil + 500);
    assert.deepEqual(dueTimers(renewed, leaseUntil + 499), []);
    assert.equal(renewLease(renewed, 'a', 1, 1, leaseUntil), renewed);
  });
});
