import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { decide } from './decide.ts';
import { attemptFailed, completed, given, history, start, started, submit, task } from './scenario.ts';
import { fromRecords, type MissionState, toRecords } from './state.ts';

const codec = createCodec(numberedIds());

/** What a changelog gives back: through the bytes. */
function restore(state: MissionState): MissionState {
  const tail = { sequence: state.sequence, hash: 'ab' };
  const { mission, plan } = toRecords(state, tail);
  const written = codec.decode(codec.encodeRecord('MissionState', mission));
  const planned = plan && codec.decode(codec.encodeRecord('MissionPlan', plan));
  assert.ok(written.name === 'MissionState' && (planned === null || planned.name === 'MissionPlan'));
  const restored = fromRecords(written.value, planned?.value ?? null);
  assert.deepEqual(restored.tail, tail);
  return restored.state;
}

/** avsc's records have prototypes of their own. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a state in the changelog', () => {
  it('is refused without its plan', () => {
    const { mission, plan } = toRecords(history(submit([task('a')])).state, { sequence: 4, hash: 'ab' });
    assert.throws(() => fromRecords(mission, null), { code: 'internal_error', message: /a plan of 0 tasks/ });
    assert.throws(() => fromRecords({ ...mission, status: 'odd' }, plan), {
      message: /found "odd", expected/,
    });
    const odd = { ...mission, tasks: mission.tasks.map((each) => ({ ...each, status: 'odd' })) };
    assert.throws(() => fromRecords(odd, plan), { code: 'internal_error', message: /status of task 0/ });
  });

  it('comes back as it was, and goes on as it would have', () => {
    const planned = history(
      submit([task('a'), task('b'), task('c', ['a'])]),
      started('a'),
      attemptFailed('b', 'timeout'),
    ).state;
    const planning = history(submit([])).state;
    for (const [state, next] of [
      [planned, completed('a')],
      [planning, completed('plan', {}, '{"tasks":[{"id":"x","role":"y"}]}')],
    ] as const) {
      const restored = restore(state);
      assert.deepEqual(plain(restored), plain(state));
      assert.deepEqual(restored.plan?.index, state.plan?.index);
      const at = { now: start + 50 };
      assert.deepEqual(plain(decide(restored, next, at)), plain(decide(state, next, at)));
    }
  });

  it('of an ended mission is small and still knows that it ended', () => {
    const mission = submit([task('a')]);
    const { state } = history(mission, completed('a'));
    assert.deepEqual(toRecords(state, { sequence: state.sequence, hash: 'ab' }).plan, null);
    const restored = restore(state);
    assert.deepEqual([restored.status, restored.brief, restored.tasks.length], ['completed', '', 0]);
    given(restored).when(mission).ignored('MissionAlreadyKnown');
    given(restored).when(completed('a')).ignored('MissionEnded');
  });
});
