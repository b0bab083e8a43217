import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noUsage } from '#schemas/usage.ts';
import { childId, reportToParent } from './children.ts';
import { type FactDraft, type FactEvent, own } from './facts.ts';
import type { Input } from './input.ts';
import {
  completed,
  envelope,
  given,
  history,
  missionId,
  policy,
  start,
  submit,
  task,
  timer,
} from './scenario.ts';
import type { MissionState } from './state.ts';
import { dueTimers, nextDue } from './timers.ts';

const undone = { compensation: { description: 'take it back', script: null } };
const part = (on_failure = '') =>
  task('m', [], {
    ...{ role: 'orchestrator', description: 'a part', max_attempts: 2, timeout_ms: 60_000 },
    mission: JSON.stringify({ on_failure }),
  });
const types = (facts: readonly FactDraft[]) => facts.map(({ event_type }) => event_type);

function after(state: MissionState, input: Input, now: number) {
  const { decision } = given(state).when(input, now);
  assert.ok(decision.kind === 'facts', JSON.stringify(decision));
  return decision;
}

/** The mission above, at the moment when the time of the first attempt at its part is up. */
function timedOut(given: ReturnType<typeof part>, on_failure = 'fail_fast') {
  const { state } = history(submit([given], { policy: { ...policy, on_failure } }));
  const due = state.tasks[0]?.timeout_at ?? 0;
  const [fires] = dueTimers(state, due);
  assert.ok(fires !== undefined && fires.timer === 'timeout');
  return { ...after(state, fires, due), fires, due };
}

/** What a mission reports to the one above when it ends so. */
function reported(code: string): Input {
  const { state } = history(
    submit([task('x', [], undone)], {
      ...{ mission_id: childId(missionId, 'm', 1), depth: 1 },
      parent: { mission_id: missionId, task_id: 'm', attempt: 1, lease: 1 },
    }),
  );
  const why = { code, message: 'the mission did not end within 60000 ms', failed_tasks: [], completed: 1 };
  const end = own('mission_failed', {
    ...why,
    duration_ms: 1,
    usage: noUsage,
    compensated: ['x'],
    result: '',
  });
  const report = reportToParent(state, { ...envelope(start), ...end, event_id: 'c:9' } as FactEvent);
  assert.ok(report !== null);
  return { kind: 'report', event: report };
}

describe('a mission within a mission whose time is up', () => {
  it('is awaited where it undoes its work: the next attempt begins after its end', () => {
    for (const { facts, state, fires, due } of [
      timedOut(part('compensate')),
      timedOut(part(), 'compensate'),
    ]) {
      assert.deepEqual(types(facts), ['timer_fired']);
      assert.equal(state.tasks[0]?.status, 'running');
      // Nothing but its end, or the deadline of all of it, is awaited any more.
      assert.equal(nextDue(state), state.deadline_at);
      given(state).when(fires, due).ignored('TimerStale');
      const ended = after(state, reported('deadline_passed'), due + 60_000);
      assert.deepEqual(types(ended.facts), ['task_attempt_failed']);
      const retry_at = ended.state.tasks[0]?.retry_at ?? 0;
      assert.ok(retry_at > due + 60_000);
      const again = after(ended.state, timer('retry', retry_at, 'm'), retry_at);
      assert.deepEqual(types(again.facts), ['timer_fired', 'task_assigned']);
      assert.equal(again.state.tasks[0]?.attempt, 2);
    }
  });

  it('has completed where its end came just too late for the timer', () => {
    const { state, due } = timedOut(part('compensate'));
    assert.equal(after(state, completed('m'), due + 1).state.status, 'completed');
  });

  it('fails for what it failed for, when that is not its time', () => {
    const { state, due } = timedOut(part('compensate'));
    const { facts } = after(state, reported('unauthorized'), due + 1);
    assert.equal(facts[0]?.event_type, 'task_failed');
  });

  it('is not awaited where it just ends: its deadline is the same moment', () => {
    for (const { facts, state, due } of [timedOut(part()), timedOut(part('fail_fast'), 'compensate')]) {
      assert.deepEqual(types(facts), ['timer_fired', 'task_attempt_failed']);
      given(state)
        .when(reported('deadline_passed'), due + 1)
        .ignored('AttemptEnded');
    }
  });

  it('is given up with the mission above, whose deadline holds', () => {
    const { state } = timedOut(part('compensate'));
    const { facts } = after(state, timer('deadline', state.deadline_at), state.deadline_at);
    assert.deepEqual(types(facts), ['timer_fired', 'task_cancelled', 'mission_failed']);
  });
});
