import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noUsage } from '#schemas/usage.ts';
import { told } from './facts.ts';
import {
  assigned,
  attemptFailed,
  completed,
  fact,
  fired,
  given,
  history,
  policy,
  released,
  start,
  started,
  submit,
  task,
  timer,
} from './scenario.ts';

describe('what does not count', () => {
  const tasks = [task('a'), task('b', ['a'])];
  const running = history(submit(tasks), started('a')).state;
  const retried = history(submit(tasks), attemptFailed('a', 'timeout')).state;

  it('is ignored for a reason', () => {
    const cancel = { kind: 'cancel', reason: '', by: '' } as const;
    for (const input of [completed('a'), cancel, timer('deadline', start)]) {
      given(null).when(input).ignored('MissionUnknown');
    }
    given(running).when(submit(tasks)).ignored('MissionAlreadyKnown');
    given(running).when(completed('x')).ignored('TaskUnknown');
    given(running).when(started('a')).ignored('AlreadyStarted');
    given(running)
      .when(completed('a', { attempt: 2 }))
      .ignored('AttemptStale');
    given(running)
      .when(completed('a', { lease: 2 }))
      .ignored('LeaseStale');
    given(running).when(completed('b')).ignored('NotAssigned');
    given(retried).when(completed('a')).ignored('AttemptEnded');
    given(retried)
      .when(started('a', { attempt: 2 }))
      .ignored('NotAssigned');
    const { state } = history(submit(tasks), completed('a'));
    for (const late of [started, completed, released]) given(state).when(late('a')).ignored('TaskEnded');
    const ended = history(submit([task('a')]), completed('a')).state;
    for (const late of [completed('a'), timer('lease', start, 'a')])
      given(ended).when(late).ignored('MissionEnded');
    given(ended).when(submit(tasks)).ignored('MissionAlreadyKnown');
  });

  it('includes timers of what has moved on', () => {
    const leaseDue = start + 1 + policy.lease_ms;
    const timeoutDue = start + 1 + policy.task_timeout_ms;
    for (const stale of [
      timer('lease', leaseDue, 'a', { lease: 2 }),
      timer('lease', leaseDue, 'a', { attempt: 2 }),
      timer('timeout', timeoutDue - 1, 'a'),
      timer('timeout', timeoutDue, 'a', { attempt: 2 }),
      timer('retry', leaseDue, 'a'),
      timer('lease', leaseDue, 'b'),
    ]) {
      given(running).when(stale, timeoutDue).ignored('TimerStale');
    }
    given(running)
      .when(timer('timeout', timeoutDue, 'a'), timeoutDue - 1)
      .ignored('TimerStale');
    given(running)
      .when(timer('lease', leaseDue, 'x'), timeoutDue)
      .ignored('TaskUnknown');
    given(retried)
      .when(timer('retry', start + 1000, 'a'), timeoutDue)
      .ignored('TimerStale');
  });
});

describe('a lease', () => {
  const started1 = history(submit([task('a')]), started('a')).state;

  it('that expires leads to a resume from the journal, with what is left of the time', () => {
    const due = start + 1 + policy.lease_ms;
    const resumed = given(started1).when(timer('lease', due, 'a'), due);
    const resume = { lease: 2, timeout_ms: policy.task_timeout_ms - policy.lease_ms };
    resumed.then([
      fired(timer('lease', due, 'a')),
      assigned('a', { ...resume, journal_partition: 2, journal_offset: 40 }),
    ]);
    assert.ok(resumed.decision.kind === 'facts');
    given(resumed.decision.state).when(completed('a'), due).ignored('LeaseStale');
    const end = given(resumed.decision.state).when(completed('a', { lease: 2 }), due);
    assert.ok(end.decision.kind === 'facts' && end.decision.state.status === 'completed');
  });

  it('that is given back leads to a resume', () => {
    given(started1)
      .when(released('a'), start + 101)
      .then([
        fact('task_released', released('a')),
        assigned('a', {
          lease: 2,
          timeout_ms: policy.task_timeout_ms - 100,
          journal_partition: 2,
          journal_offset: 40,
        }),
      ]);
  });

  it('that is given back before the start leads to a fresh start', () => {
    given(history(submit([task('a')])).state)
      .when(released('a'))
      .then([fact('task_released', released('a')), assigned('a', { lease: 2 })]);
  });

  it('that was lost ten times ends the attempt', () => {
    const tenth = history(
      submit([task('a')]),
      ...Array.from({ length: 10 }, (_, i) => started('a', { lease: i + 1 })).flatMap((begun, i) =>
        i === 9 ? [begun] : [begun, timer('lease', start, 'a', { lease: i + 1 })],
      ),
    ).state;
    const due = start + 19 + policy.lease_ms;
    given(tenth)
      .when(timer('lease', due, 'a', { lease: 10 }), due)
      .then([
        fired(timer('lease', due, 'a', { lease: 10 })),
        told('task_attempt_failed', 'a_role', {
          task_id: 'a',
          attempt: 1,
          lease: 10,
          agent: 'agent-1',
          code: 'lease_lost',
          message: 'the lease expired, as 9 others of this attempt did',
          steps: 0,
          journal_hash: '',
          usage: noUsage,
          duration_ms: 0,
          retry_at: due + 1000,
        }),
      ]);
  });
});

describe('a timeout', () => {
  it('ends the attempt, counted from its first start', () => {
    const { state } = history(submit([task('a')]), started('a'), released('a'), started('a', { lease: 2 }));
    const due = start + 1 + policy.task_timeout_ms;
    given(state)
      .when(timer('timeout', due, 'a', { lease: 2 }), due)
      .then([
        fired(timer('timeout', due, 'a', { lease: 2 })),
        told('task_attempt_failed', 'a_role', {
          task_id: 'a',
          attempt: 1,
          lease: 2,
          agent: 'agent-1',
          code: 'timeout',
          message: `no end within ${policy.task_timeout_ms} ms`,
          steps: 0,
          journal_hash: '',
          usage: noUsage,
          duration_ms: 0,
          retry_at: due + 1000,
        }),
      ]);
  });
});

describe('a retry', () => {
  it('waits for a place in flight', () => {
    const { state } = history(
      submit([task('a'), task('b')], { policy: { ...policy, max_in_flight: 1 } }),
      attemptFailed('a', 'timeout'),
    );
    const retry = timer('retry', start + 1001, 'a');
    const waiting = given(state).when(retry, start + 1001);
    waiting.then([fired(retry)]);
    assert.ok(waiting.decision.kind === 'facts');
    given(waiting.decision.state)
      .when(completed('a'), start + 1002)
      .ignored('AttemptEnded');
    given(waiting.decision.state)
      .when(completed('b'), start + 1002)
      .then([fact('task_completed', completed('b')), assigned('a', { attempt: 2 })]);
  });

  it('begins with a fresh journal and its own timeout', () => {
    const { state } = history(submit([task('a')]), started('a'), attemptFailed('a', 'timeout'));
    const retry = timer('retry', start + 1002, 'a');
    given(state)
      .when(retry, start + 1002)
      .then([fired(retry), assigned('a', { attempt: 2 })]);
  });
});
