import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { noUsage } from '#schemas/usage.ts';
import { commandsOfUndoing } from './children.ts';
import { decide } from './decide.ts';
import { type FactEvent, own } from './facts.ts';
import type { Input } from './input.ts';
import { ledgerOf, placed, type Step } from './journey.ts';
import { indexPlan } from './plan.ts';
import {
  after,
  cancel,
  decided,
  done,
  failingD,
  fourSteps,
  saga,
  types,
  undo,
  undoesBy,
  undoing,
} from './saga-scenario.ts';
import {
  asked,
  attemptFailed,
  completed,
  failed,
  given,
  history,
  missionId,
  policy,
  start,
  started,
  submit,
  task,
  timer,
} from './scenario.ts';
import { nextDue } from './timers.ts';
import { shownStatus, toUndo, undoingOf } from './undoing.ts';
import { createVerifier } from './verify.ts';

describe('on_failure: compensate', () => {
  it('undoes what completed in reverse order, one at a time, passing over what names nothing', () => {
    const state = after(...failingD);
    const first = given(state).when(attemptFailed('d', 'unauthorized'));
    first.then([
      { ...failed('d', 'unauthorized'), source_agent: 'd_role' },
      own('wave_completed', { wave: 4, completed: 0, failed: 1 }),
      undoing,
      own('compensation_started', { task_id: 'undo-b', compensates: 'b' }),
      undoesBy('b'),
    ]);
    const b = decided(
      after(...failingD, attemptFailed('d', 'unauthorized'), started('undo-b')),
      completed('undo-b'),
    );
    assert.deepEqual(b.facts.slice(1), [
      own('compensation_completed', { task_id: 'undo-b', compensates: 'b' }),
      own('compensation_started', { task_id: 'undo-a', compensates: 'a' }),
      undoesBy('a'),
    ]);
    const { facts, state: end } = decided(b.state, completed('undo-a'));
    assert.deepEqual(types(facts), [
      'task_completed undo-a',
      'compensation_completed undo-a',
      'mission_failed',
    ]);
    assert.deepEqual(
      facts.at(-1),
      own('mission_failed', {
        code: 'task_failed',
        message: 'task d failed (unauthorized): it broke',
        result: '',
        failed_tasks: ['d'],
        completed: 3,
        duration_ms: 1000,
        usage: noUsage,
        compensated: ['b', 'a'],
      }),
    );
    assert.equal(end.status, 'failed');
  });

  it('fails at once when nothing that completed can be undone', () => {
    const { facts } = decided(after(saga(fourSteps), started('a')), attemptFailed('a', 'unauthorized'));
    assert.deepEqual(types(facts), ['task_failed a', 'wave_completed', 'mission_failed']);
  });

  it('does nothing of the kind when the mission fails fast', () => {
    const { facts } = decided(
      after(submit(fourSteps), ...done('a', 'b', 'c'), started('d')),
      attemptFailed('d', 'unauthorized'),
    );
    assert.equal(facts.at(-1)?.event_type, 'mission_failed');
  });

  it('tries an undoing again as often as the mission says, whatever its task does', () => {
    const tasks = [task('a', [], { ...undo('take a back'), max_attempts: 1 }), task('b', ['a'])];
    const { state } = history(
      ...[saga(tasks), ...done('a'), started('b'), attemptFailed('b', 'unauthorized')],
      ...[started('undo-a'), attemptFailed('undo-a', 'temporary_failure')],
    );
    const [retry] = [state.tasks[2]?.retry_at ?? 0];
    const again = given(state).when(timer('retry', retry, 'undo-a'), retry);
    assert.ok(again.decision.kind === 'facts');
    assert.deepEqual(types(again.decision.facts), [
      'timer_fired undo-a',
      'compensation_started undo-a',
      'task_assigned undo-a',
    ]);
  });

  it('lets a step end that can be undone, and undoes it, too; cancels what cannot', () => {
    const tasks = [
      task('a', [], undo('take a back')),
      task('b', [], undo('take b back')),
      task('c'),
      task('d', [], undo('take d back')),
      task('e'),
    ];
    const given_ = after(saga(tasks), ...done('a'), started('b'), started('c'), started('e'));
    // `d` was given to its role, and nobody has begun it.
    const failing = decided(given_, attemptFailed('e', 'unauthorized'));
    assert.deepEqual(types(failing.facts), [
      ...['task_failed e', 'undoing_started', 'task_cancelled c', 'task_cancelled d'],
    ]);
    const { facts } = decided(failing.state, completed('b'));
    assert.deepEqual(types(facts), [
      ...['task_completed b', 'wave_completed', 'compensation_started undo-b', 'task_assigned undo-b'],
    ]);
  });

  it('does not try a step again that fails while it is awaited', () => {
    const tasks = [task('a', [], undo('take a back')), task('b', [], undo('take b back')), task('e')];
    const state = after(
      ...[saga(tasks), ...done('a'), started('b'), started('e'), attemptFailed('e', 'unauthorized')],
    );
    const { facts } = decided(state, attemptFailed('b', 'temporary_failure'));
    assert.deepEqual(types(facts).slice(0, 3), [
      'task_failed b',
      'wave_completed',
      'compensation_started undo-a',
    ]);
  });

  it('resumes an awaited step whose agent is lost, and does not wait for a person that it asks', () => {
    const tasks = [task('a', [], undo('take a back')), task('b', [], undo('take b back')), task('e')];
    const state = after(
      ...[saga(tasks), ...done('a'), started('b'), started('e'), attemptFailed('e', 'unauthorized')],
    );
    const lost = given(state).when(timer('lease', state.tasks[1]?.lease_until ?? 0, 'b'), start + 60_000);
    assert.ok(lost.decision.kind === 'facts');
    assert.deepEqual(types(lost.decision.facts), ['timer_fired b', 'task_assigned b']);
    assert.deepEqual(types(decided(state, asked('b')).facts), [
      ...['review_requested b', 'task_cancelled b', 'compensation_started undo-a', 'task_assigned undo-a'],
    ]);
  });

  it('asks a mission within it to undo its own work, and waits for its end', () => {
    const tasks = [
      task('a', [], undo('take a back')),
      task('m', [], { role: 'orchestrator', description: 'a part' }),
      task('e'),
    ];
    const { state, facts } = decided(
      after(saga(tasks), ...done('a'), started('e')),
      attemptFailed('e', 'unauthorized'),
    );
    assert.deepEqual(types(facts), ['task_failed e', 'undoing_started']);
    const began = {
      ...undoing,
      event_id: 'm1:9',
      timestamp: start,
      priority: 'normal',
    } as unknown as FactEvent;
    assert.ok(began.event_type === 'undoing_started');
    const [command, ...others] = commandsOfUndoing(state, began);
    assert.deepEqual(
      [command?.event_type, command?.correlation_id, others.length],
      ['mission_cancelled', 'm1:m:1', 0],
    );
    assert.deepEqual(types(decided(state, attemptFailed('m', 'aborted')).facts).slice(0, 3), [
      ...['task_failed m', 'wave_completed', 'compensation_started undo-a'],
    ]);
  });

  it('undoes a mission by a mission', () => {
    const part = task('m', [], {
      role: 'orchestrator',
      description: 'a part',
      ...undo('take the part back'),
    });
    const { facts } = decided(
      after(saga([part, task('e', ['m'])]), completed('m'), started('e')),
      attemptFailed('e', 'unauthorized'),
    );
    const last = facts.at(-1);
    assert.ok(last?.event_type === 'task_assigned');
    const { kind, role, description, compensates } = last.payload;
    assert.deepEqual(
      [kind, role, description, compensates],
      ['mission', 'orchestrator', 'take the part back', 'm'],
    );
  });

  it('is not cut off by the deadline, and begins with it', () => {
    const state = after(...failingD, attemptFailed('d', 'unauthorized'));
    assert.equal(state.deadline_at, 0);
    assert.equal(nextDue(state), null);
    const before = after(...failingD.slice(0, 3));
    const due = before.deadline_at;
    const { decision } = given(before).when(timer('deadline', due), due);
    assert.ok(decision.kind === 'facts');
    assert.deepEqual(types(decision.facts), [
      ...[
        'timer_fired',
        'undoing_started',
        'task_cancelled b',
        'compensation_started undo-a',
        'task_assigned undo-a',
      ],
    ]);
    assert.equal(undoingOf(decision.state)?.code, 'deadline_passed');
  });

  it('undoes what a person cancels, and ends as cancelled; a second time changes nothing', () => {
    const { facts, state } = decided(after(...failingD.slice(0, 3)), cancel);
    assert.deepEqual(
      facts[0],
      own('undoing_started', { code: 'aborted', message: 'enough', cancelled_by: 'ann' }),
    );
    assert.equal(shownStatus(state), 'compensating');
    given(state).when(cancel).ignored('AlreadyUndoing');
    assert.deepEqual(
      decided(state, completed('undo-a')).facts.at(-1),
      own('mission_cancelled', {
        ...{ reason: 'enough', cancelled_by: 'ann', completed: 1, usage: noUsage, compensated: ['a'] },
      }),
    );
  });

  it('is not refused for want of a budget', () => {
    const budget = { tokens: 100, calls: -1, cost_nanos: -1, time_ms: -1 };
    const options = { ...policy.options, budget, per_task: { ...budget, tokens: 60 } };
    const used = { input_tokens: 60, calls: 1 };
    const { facts } = history(
      ...[saga([task('a', [], undo('take a back')), task('b', ['a'])], { options }), started('a')],
      completed('a', {}, 'a is done', used),
    );
    assert.deepEqual(types(facts).slice(-3), [
      'undoing_started',
      'compensation_started undo-a',
      'task_assigned undo-a',
    ]);
    const last = facts.at(-1);
    assert.ok(last?.event_type === 'task_assigned' && last.payload.budget === null);
  });

  it('gives what undoes another name where that one is taken', () => {
    const tasks = [task('a', [], undo('take a back')), task('undo-a'), task('b', ['a', 'undo-a'])];
    const { facts } = decided(
      after(saga(tasks), ...done('a', 'undo-a'), started('b')),
      attemptFailed('b', 'unauthorized'),
    );
    assert.equal(types(facts).at(-1), 'task_assigned undo-2-a');
  });

  it('takes the later wave first of what completed in the same millisecond', () => {
    const plan = indexPlan([
      { ...task('x', [], undo('x')), wave: 2 },
      { ...task('y', [], undo('y')), wave: 1 },
      { ...task('z', [], undo('z')), wave: 1 },
    ]);
    const state = after(saga([task('p')]));
    const [blank] = state.tasks;
    assert.ok(blank);
    const ended = { ...blank, status: 'completed', ended_at: 5 } as const;
    assert.deepEqual(toUndo({ ...state, plan, tasks: [ended, ended, ended] }), [0, 2, 1]);
  });
});

describe('the ledger of a saga', () => {
  const ends: readonly (readonly Input[])[] = [
    [...failingD.slice(1, 3), cancel, ...done('undo-a')],
    [...failingD.slice(1), attemptFailed('d', 'unauthorized'), ...done('undo-b', 'undo-a')],
  ];
  it('verifies, be it cancelled or failed', () => {
    for (const inputs of ends) {
      const steps: Step[] = [];
      for (const [position, input] of [saga(fourSteps), ...inputs].entries()) {
        const before = steps.at(-1)?.decision;
        const state = before?.kind === 'facts' ? before.state : null;
        const now = start + position;
        steps.push({ input, now, before: state, decision: decide(state, input, { now }) });
      }
      const codec = createCodec(numberedIds());
      const { mission, records, tail } = ledgerOf(missionId, steps, codec);
      const verifier = createVerifier(codec);
      verifier.expectHead(mission, tail);
      const during = placed(records).flatMap((record) => verifier.feed(record) ?? []);
      const { findings, summary } = verifier.end();
      assert.deepEqual([...during, ...findings, summary.ended], [1]);
    }
  });
});
