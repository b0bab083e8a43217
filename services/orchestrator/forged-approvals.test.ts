/** Answers to reviews that nobody should count. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answer, asked, given, history, missionId, start, started, submit, task } from './scenario.ts';

const review = `${missionId}/a/1/2`;
const waiting = (more: object = {}) => history(submit([task('a')]), started('a'), asked('a', more)).state;

describe('an approval', () => {
  it('of a review that nobody has asked for is ignored', () => {
    for (const id of [`${missionId}/a/1/4`, `${missionId}/b/1/2`, `m2/a/1/2`, '', `${review}/reconcile/1`]) {
      given(waiting()).when(answer(id, 'approved')).ignored('ReviewUnknown');
    }
  });

  it('for other arguments than those that were shown is ignored', () => {
    for (const hash of ['fe', '', 'FF', 'ff0']) {
      given(waiting())
        .when(answer(review, 'approved', hash))
        .ignored('ReviewDiffers');
    }
  });

  it('that comes a second time, or after another answer, is ignored', () => {
    for (const first of ['approved', 'rejected']) {
      const { decision } = given(waiting()).when(answer(review, first));
      assert.ok(decision.kind === 'facts');
      for (const second of ['approved', 'rejected']) {
        given(decision.state)
          .when(answer(review, second), start + 2_000)
          .ignored('ReviewUnknown');
      }
    }
  });

  it('that comes too late is ignored', () => {
    const state = waiting({ expires_at: start + 500 });
    const { expires_at = 0 } = state.reviews[0] ?? {};
    given(state).when(answer(review, 'approved'), expires_at).ignored('ReviewExpired');
    assert.equal(given(state).when(answer(review, 'approved'), expires_at - 1).decision.kind, 'facts');
  });

  it('in words that this kind of review does not take is ignored', () => {
    for (const word of ['happened', 'cheaper', 'yes', 'APPROVED', '', '__proto__', 'toString']) {
      given(waiting()).when(answer(review, word)).ignored('DecisionUnknown');
    }
  });

  it('that an agent asks for in the name of another attempt is no review', () => {
    for (const which of [{ attempt: 2 }, { lease: 2 }]) {
      const { state } = history(submit([task('a')]), started('a'));
      const { decision } = given(state).when(asked('a', {}, which));
      assert.equal(decision.kind, 'ignored');
    }
  });
});
