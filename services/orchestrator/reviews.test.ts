import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MissionOptions } from '#schemas/types.gen.ts';
import type { Input } from './input.ts';
import {
  answer,
  asked,
  assigned,
  completed,
  fact,
  given,
  history,
  policy,
  start,
  started,
  submit,
  task,
  timer,
  violated,
} from './scenario.ts';
import type { MissionState } from './state.ts';
import { nextDue, renewLease } from './timers.ts';

const id = 'm1/a/1/2';
const options = (more: Partial<MissionOptions>) => ({
  policy: { ...policy, options: { ...policy.options, ...more } },
});
const narrow = { policy: { ...policy, max_in_flight: 1 } };
const two = [task('a'), task('b')];

function after(state: MissionState, input: Input, now = start + 1000) {
  const { decision } = given(state).when(input, now);
  if (decision.kind === 'ignored') assert.fail(decision.reason);
  return decision;
}
const types = (facts: readonly { readonly event_type: string }[]) =>
  facts.map(({ event_type }) => event_type);

describe('a review of a call', () => {
  const { state, facts } = history(submit(two, narrow), started('a'), asked('a'));

  it('parks the attempt: its place is free, its timers stand still, its lease is over', () => {
    assert.deepEqual(types(facts.slice(-2)), ['review_requested', 'task_assigned']);
    assert.deepEqual(
      [state.tasks[0]?.status, state.tasks[0]?.timeout_left],
      ['parked', policy.task_timeout_ms - 1],
    );
    assert.equal(nextDue(state), state.deadline_at);
    for (const late of [completed('a'), started('a'), asked('a'), violated('a')])
      given(state).when(late).ignored('LeaseStale');
    assert.equal(renewLease(state, 'a', 1, 1, start + 50_000), 'LeaseStale');
    given(state)
      .when(timer('timeout', start + 1 + policy.task_timeout_ms, 'a'), start + 2 * policy.task_timeout_ms)
      .ignored('TimerStale');
    given(history(submit(two)).state)
      .when(asked('a'))
      .ignored('NotRunning');
  });

  it('that is answered goes on with the answer, when there is a place', () => {
    const waits = after(state, answer(id, 'approved'));
    assert.deepEqual(types(waits.facts), ['review_completed']);
    const goesOn = given(waits.state).when(completed('b'), start + 7_000);
    const answers = [{ review_id: id, step: 2, arguments_hash: 'ff', decision: 'approved', comment: '' }];
    goesOn.then([
      fact('task_completed', completed('b')),
      assigned('a', {
        lease: 2,
        timeout_ms: policy.task_timeout_ms - 1,
        journal_partition: 2,
        journal_offset: 40,
        answers,
      }),
    ]);
  });

  it('gives a person as long as the agent says, whatever the clock of the agent', () => {
    const past = history(submit([task('a')]), started('a')).state;
    for (const off of [-3_600_000, 0, 3_600_000]) {
      const input = asked('a', { expires_at: start + off + 5_000 });
      assert.ok(input.kind === 'report');
      const said = { ...input.event, timestamp: start + off } as typeof input.event;
      const { state } = after(past, { ...input, event: said }, start + 100);
      assert.equal(state.reviews[0]?.expires_at, start + 5_100);
    }
    const without = after(past, asked('a', { expires_at: 0 }), start + 100);
    assert.equal(without.state.reviews[0]?.expires_at, 0);
  });

  it('counts one answer, for these arguments, in time, of its kind', () => {
    const { state } = history(submit([task('a')]), started('a'), asked('a', { expires_at: start + 5_000 }));
    const { expires_at = 0 } = state.reviews[0] ?? {};
    given(state).when(answer('m1/a/1/3', 'approved')).ignored('ReviewUnknown');
    given(state)
      .when(answer(id, 'approved', 'fe'))
      .ignored('ReviewDiffers');
    given(state).when(answer(id, 'happened')).ignored('DecisionUnknown');
    given(state).when(answer(id, 'expired')).ignored('DecisionUnknown');
    given(state).when(answer(id, 'approved'), expires_at).ignored('ReviewExpired');
    const { state: next } = after(state, answer(id, 'rejected'), expires_at - 1);
    given(next).when(answer(id, 'approved'), expires_at).ignored('ReviewUnknown');
    const due = { ...timer('review', expires_at), review_id: id };
    given(next).when(due, expires_at).ignored('TimerStale');
    given(state)
      .when({ ...due, due_at: expires_at - 1 }, expires_at)
      .ignored('TimerStale');
    const expired = after(state, due, expires_at);
    assert.deepEqual(types(expired.facts), ['timer_fired', 'task_assigned']);
    assert.equal(expired.state.tasks[0]?.answers[0]?.decision, 'expired');
    const reconcile = history(submit([task('a')]), started('a'), asked('a', { kind: 'reconcile' })).state;
    assert.equal(after(reconcile, answer(id, 'happened')).facts.length, 2);
  });

  it('ends with its mission', () => {
    const cancelled = after(state, { kind: 'cancel', reason: '', by: '' });
    assert.deepEqual(types(cancelled.facts), ['mission_cancelled', 'task_cancelled', 'task_cancelled']);
    given(cancelled.state).when(answer(id, 'approved')).ignored('MissionEnded');
    assert.deepEqual(cancelled.state.reviews, []);
  });
});

describe('a review of the plan', () => {
  const { state, facts } = history(submit([task('a')], options({ review: 'plan' })));

  it('lets nothing begin before it is approved', () => {
    assert.deepEqual(types(facts), ['mission_accepted', 'plan_created', 'review_requested']);
    const approved = after(state, answer('m1/plan/0', 'approved', ''));
    assert.deepEqual(types(approved.facts), ['review_completed', 'wave_started', 'task_assigned']);
    const end = after(state, answer('m1/plan/0', 'rejected', '')).facts.at(-1);
    assert.ok(end?.event_type === 'mission_failed' && end.payload.code === 'plan_rejected');
    given(state)
      .when(answer('m1/plan/0', 'cheaper', ''))
      .ignored('DecisionUnknown');
  });

  it('is not asked for where only a plan is wanted', () => {
    const only = history(submit([task('a')], options({ review: 'plan', plan_only: true }))).facts;
    assert.deepEqual(types(only), ['mission_accepted', 'plan_created', 'mission_completed']);
  });
});

describe('a safety violation', () => {
  it('is a fact of its own, and its task has failed, whatever attempts are left', () => {
    const { state } = history(submit([task('a')]), started('a'));
    const { facts, state: next } = after(state, violated('a'));
    assert.deepEqual(types(facts), ['safety_violation', 'task_failed', 'wave_completed', 'mission_failed']);
    assert.deepEqual([next.tasks[0]?.code, next.tasks[0]?.attempt], ['safety_violation', 1]);
    const [, failed] = facts;
    assert.ok(failed?.event_type === 'task_failed');
    assert.match(failed.payload.message, /^no_remote_shell \(tool_arguments\): /);
  });
});
