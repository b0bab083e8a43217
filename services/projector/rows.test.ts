import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handedOff, requests, requires } from '#orchestrator/coordination-scenario.ts';
import { evolve } from '#orchestrator/evolve.ts';
import type { FactDraft, FactEvent } from '#orchestrator/facts.ts';
import {
  attemptFailed,
  completed,
  envelope,
  history,
  missionId,
  released,
  start,
  started,
  submit,
  task,
} from '#orchestrator/scenario.ts';
import type { MissionState } from '#orchestrator/state.ts';
import { attemptRow, instant, missionRow, noOutcome, outcomeOf, taskRows, timelineRow } from './rows.ts';

/** A fact as it stands in the ledger, as far as rows are concerned. */
function event(draft: FactDraft, position: number): FactEvent {
  const sequence = position + 1;
  const about = { event_id: `${missionId}:${sequence}`, version: 1, causation_id: 'c', previous_hash: '' };
  return { ...draft, ...envelope(start + position), ...about, sequence } as FactEvent;
}

/** Every fact of a history, with the states before and after it. */
function replay(facts: readonly FactDraft[]) {
  let state: MissionState | null = null;
  return facts.map((draft, position) => {
    const before: MissionState | null = state;
    const fact = event(draft, position);
    state = evolve(before, fact, fact);
    return { before, fact, after: state };
  });
}

test('a mission in numbers', () => {
  const { facts } = history(submit([task('a'), task('b'), task('c', ['a'])]), started('a'), completed('a'));
  const state = replay(facts).at(-1)?.after;
  assert.ok(state);
  const row = missionRow(state, { partition: 1, sequence: facts.length, head_hash: 'h' }, noOutcome);
  assert.deepEqual(
    [row.status, row.tasks, row.in_flight, row.completed, row.failed, row.cancelled, row.waves, row.sequence],
    ['running', 3, 2, 1, 0, 0, 2, facts.length],
  );
  assert.equal(row.created_at, new Date(start).toISOString());
  assert.deepEqual([row.ended_at, row.result], [null, null]);
});

test('only tasks that changed have rows, in a new plan all have', () => {
  const { facts } = history(submit([task('a'), task('b')]), started('a'));
  const turns = replay(facts);
  const last = turns.at(-1);
  assert.ok(last);
  assert.deepEqual(
    taskRows(last.after, last.before).map((row) => [row.task_id, row.status, row.agent]),
    [['a', 'running', 'agent-1']],
  );
  assert.deepEqual(taskRows(last.after, last.after), []);
  assert.equal(taskRows(last.after, null).length, 2);
  assert.equal(taskRows(last.after, turns[0]?.after ?? null).length, 2);
});

test('what the facts say of an attempt, from its assignment to its end', () => {
  const { facts } = history(
    submit([task('a')]),
    ...[started('a'), released('a'), started('a', { lease: 2 })],
    attemptFailed('a', 'temporary_failure', { lease: 2 }),
  );
  const rows = replay(facts).flatMap(({ before, fact }) => attemptRow(fact, before) ?? []);
  assert.deepEqual(
    rows.map((row) => [row.attempt, row.lease, row.status, row.agent ?? null, row.code ?? null]),
    [
      [1, 1, 'assigned', null, null],
      [1, 1, 'running', 'agent-1', null],
      [1, 1, 'released', 'agent-1', null],
      [1, 2, 'assigned', null, null],
      [1, 2, 'running', 'agent-1', null],
      [1, 2, 'failed', 'agent-1', 'temporary_failure'],
    ],
  );
  assert.ok(rows.at(-1)?.retry_at);
});

test('an attempt that was handed over, a task that waits, and one that a reaction asked for', () => {
  const { facts, state } = history(
    submit([task('a'), task('b')]),
    ...[started('a'), handedOff('a', 'c_role'), started('b'), requires('b', 'api'), requests('q')],
  );
  const rows = replay(facts).flatMap(({ before, fact }) => attemptRow(fact, before) ?? []);
  const handed = rows.find(({ status }) => status === 'handed_over');
  assert.deepEqual(
    [handed?.task_id, handed?.attempt, handed?.steps, handed?.message],
    ['a', 1, 2, 'not mine'],
  );
  assert.ok(handed?.ended_at);
  assert.deepEqual(
    taskRows(state, null).map((row) => [row.task_id, row.role, row.status, row.waiting_for, row.caused_by]),
    [
      ['a', 'c_role', 'assigned', '', ''],
      ['b', 'b_role', 'parked', 'api', ''],
      ['q', 'q_role', 'assigned', '', 'm1:1'],
    ],
  );
  const asked = facts.map(event).find(({ event_type }) => event_type === 'task_requested');
  assert.equal(asked && timelineRow(asked, 0, 0).task_id, 'q');
});

test('a cancelled task ends its attempt, but not one that has failed before', () => {
  const running = history(submit([task('a')]), started('a'), { kind: 'cancel', reason: 'enough', by: 'me' });
  const waiting = history(submit([task('a')]), started('a'), attemptFailed('a', 'temporary_failure'), {
    ...{ kind: 'cancel', reason: 'enough', by: 'me' },
  });
  const lastRow = ({ facts }: { facts: FactDraft[] }) =>
    replay(facts)
      .flatMap(({ before, fact }) => attemptRow(fact, before) ?? [])
      .at(-1)?.status;
  assert.equal(lastRow(running), 'cancelled');
  assert.equal(lastRow(waiting), 'failed');
});

test('how a mission ended, and its timeline', () => {
  const { facts } = history(submit([task('a')]), started('a'), completed('a'));
  const events = facts.map(event);
  const last = events.at(-1);
  assert.ok(last?.event_type === 'mission_completed');
  assert.deepEqual(outcomeOf(last), { result: last.payload.result, code: null, message: null });
  assert.ok(events.slice(0, -1).every((fact) => outcomeOf(fact) === null));
  const assigned = events.find(({ event_type }) => event_type === 'task_assigned');
  assert.ok(assigned);
  const row = timelineRow(assigned, 2, 40);
  assert.deepEqual(
    [row.source, row.target, row.task_id, row.partition, row.offset],
    ['orchestrator', 'a_role', 'a', 2, 40],
  );
  const { facts: refused } = history(submit([task('a', ['nobody'])]));
  const rejected = refused.map(event).at(-1);
  assert.ok(rejected);
  assert.equal(outcomeOf(rejected)?.code, 'invalid_plan');
});

test('times that are none', () => {
  assert.equal(instant(0), null);
  assert.equal(instant(-1), null);
  assert.equal(instant(Number.NaN), null);
  assert.equal(instant(Number.MAX_SAFE_INTEGER), null);
  assert.equal(instant(1_790_000_000_123), '2026-09-21T14:13:20.123Z');
});

test('a mission within another one says whose task it is', () => {
  const { facts } = history(submit([task('a')]));
  const accepted = facts[0];
  assert.ok(accepted?.event_type === 'mission_accepted');
  const parent = { mission_id: 'above', task_id: 'billing', attempt: 2, lease: 1 };
  const within = { ...accepted, payload: { ...accepted.payload, parent, depth: 3 } };
  const place = { partition: 1, sequence: 1, head_hash: 'h' };
  const rowOf = (fact: FactDraft) => missionRow(evolve(null, fact, event(fact, 0)), place, noOutcome);
  const { parent_mission_id, parent_task_id, depth } = rowOf(within);
  assert.deepEqual([parent_mission_id, parent_task_id, depth], ['above', 'billing', 3]);
  const alone = rowOf(accepted);
  assert.deepEqual([alone.parent_mission_id, alone.parent_task_id, alone.depth], [null, null, 0]);
});
