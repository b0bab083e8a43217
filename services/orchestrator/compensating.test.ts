import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { own } from './facts.ts';
import { after, decided, failingD, types, undoesBy } from './saga-scenario.ts';
import {
  answer,
  asked,
  attemptFailed,
  completed,
  given,
  missionId,
  start,
  started,
  timer,
} from './scenario.ts';
import { nextDue } from './timers.ts';

describe('a compensation that fails for good', () => {
  const stuck = [
    ...[...failingD, attemptFailed('d', 'unauthorized'), started('undo-b')],
    attemptFailed('undo-b', 'unauthorized'),
  ];
  const review = `${missionId}/undo-b/1`;
  const say = (decision: string) => answer(review, decision, '');

  it('stops there and asks a person', () => {
    const { facts } = decided(after(...stuck.slice(0, -1)), attemptFailed('undo-b', 'unauthorized'));
    assert.deepEqual(types(facts), [
      ...['task_failed undo-b', 'compensation_failed undo-b', 'review_requested undo-b'],
    ]);
    const last = facts.at(-1);
    assert.ok(last?.event_type === 'review_requested');
    assert.deepEqual([last.payload.kind, last.payload.review_id], ['compensation', review]);
    assert.equal(last.payload.reason, 'b could not be undone (unauthorized): it broke');
    assert.equal(nextDue(after(...stuck)), null, 'and waits as long as it takes');
  });

  it('is tried again with as many attempts as the first time', () => {
    const { facts, state } = decided(after(...stuck), say('approved'));
    assert.deepEqual(facts.slice(1), [
      own('compensation_started', { task_id: 'undo-b', compensates: 'b' }),
      undoesBy('b', 2),
    ]);
    let now = state;
    for (const attempt of [2, 3]) {
      const failing = attemptFailed('undo-b', 'timeout', { attempt });
      const { facts: tried, state: waits } = decided(now, failing, now.updated_at);
      assert.deepEqual(types(tried), ['task_attempt_failed undo-b']);
      const retry = waits.tasks.at(-2)?.retry_at ?? 0;
      const fired = given(waits).when(timer('retry', retry, 'undo-b', { attempt }), retry).decision;
      assert.ok(fired.kind === 'facts');
      now = fired.state;
    }
    const { decision } = given(now).when(attemptFailed('undo-b', 'timeout', { attempt: 4 }), start + 20_000);
    assert.ok(decision.kind === 'facts');
    const last = decision.facts.at(-1);
    assert.ok(last?.event_type === 'review_requested' && last.payload.review_id === `${missionId}/undo-b/4`);
  });

  it('is passed over when a person has done it by hand', () => {
    const { facts, state } = decided(after(...stuck), say('happened'));
    assert.deepEqual(types(facts), [
      ...['review_completed undo-b', 'compensation_completed undo-b'],
      ...['compensation_started undo-a', 'task_assigned undo-a'],
    ]);
    const end = decided(state, completed('undo-a')).facts.at(-1);
    assert.ok(end?.event_type === 'mission_failed');
    assert.deepEqual(end.payload.compensated, ['b', 'a']);
  });

  it('ends the undoing when a person says no, and the end says what is left', () => {
    const { facts } = decided(after(...stuck), say('rejected'));
    const end = facts.at(-1);
    assert.ok(end?.event_type === 'mission_failed');
    assert.deepEqual(end.payload.compensated, []);
    assert.equal(
      end.payload.message,
      'task d failed (unauthorized): it broke; the undoing was stopped (ann): undone: nothing; not undone: b, a',
    );
    given(after(...stuck))
      .when(say('cheaper'))
      .ignored('DecisionUnknown');
  });

  it('a question of its agent is another thing: the attempt is parked, and goes on', () => {
    const asks = asked('undo-b', { kind: 'compensation' });
    const { state } = decided(after(...stuck.slice(0, -1)), asks);
    assert.equal(state.tasks.at(-2)?.status, 'parked');
    const { facts } = decided(state, answer(`${missionId}/undo-b/1/2`, 'approved'));
    assert.deepEqual(types(facts), ['review_completed undo-b', 'task_assigned undo-b']);
  });
});
