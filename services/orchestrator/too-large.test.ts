import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, TaskSpec } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import { decide } from './decide.ts';
import { inputBehind } from './inputs.ts';
import { travel, wideJourneys } from './journey.ts';
import { noTail, seal } from './ledger.ts';
import { PartitionPlay, topics } from './partition-play.ts';
import { indexPlan } from './plan.ts';
import { sizeOf } from './prepare.ts';
import { missionId, start, submit } from './scenario.ts';
import { mostFactBytes, mostStateBytes, sizeAfter } from './sizes.ts';
import { missionHasEnded, newTask } from './state.ts';
import { createVerifier } from './verify.ts';

const codec = createCodec(numberedIds());
const tooLarge = 'mission_too_large';

/** Everything on the ledger and in the changelog can be read by those who read it, and the ledger verifies. */
function check(play: PartitionPlay): void {
  for (const { bytes } of play.ledger) assert.ok(bytes.length <= mostFactBytes, `a fact of ${bytes.length}`);
  for (const [key, { length }] of play.changelog)
    assert.ok(length <= mostStateBytes, `${key} of ${length} bytes`);
  const verifier = createVerifier(codec);
  for (const record of play.ledger) assert.equal(verifier.feed(record), null);
  assert.deepEqual(verifier.end().findings, []);
}

const typesOf = (play: PartitionPlay, id: string) => play.facts(id).map(({ event_type }) => event_type);

function failure(play: PartitionPlay, id: string): Record<string, unknown> {
  const last = play.facts(id).find(({ event_type }) => event_type === 'mission_failed');
  assert.ok(last !== undefined, `${id} has not failed: ${typesOf(play, id).at(-1)}`);
  return last.payload;
}

function finish(play: PartitionPlay, id: string): void {
  const assigned = play.assignments().filter(({ correlation_id }) => correlation_id === id);
  for (const each of assigned) play.started(each);
  for (const each of assigned) play.completed(each);
  assert.equal(typesOf(play, id).at(-1), 'mission_completed');
}

/** `count` tasks that wait for one answer, and a task that gives it. */
function waitingForOneAnswer(count: number, more: { undo?: boolean } = {}) {
  const play = new PartitionPlay({ roles: ['a', 'b'], outstanding: 1_000_000 });
  play.submit('neighbour', { tasks: [taskSpec({ id: 'n', role: 'b' })] });
  const undo = more.undo === true ? { compensation: { description: 'take it back', script: null } } : {};
  const tasks = [
    taskSpec({ id: 'before', role: 'b', ...undo }),
    ...Array.from({ length: count }, (_, at) => taskSpec({ id: `w${at}`, role: 'a' })),
    taskSpec({ id: 'gives', role: 'b' }),
  ];
  play.submit('m', { tasks, ...(more.undo === true ? { on_failure: 'compensate' } : {}) });
  const begun = new Set<EventOf<'task_assigned'>>();
  // A task that waits gives its place in flight to the next.
  for (let next = play.assignments(); next.some((each) => !begun.has(each)); next = play.assignments()) {
    for (const each of next) {
      if (begun.has(each) || each.correlation_id !== 'm') {
        begun.add(each);
        continue;
      }
      begun.add(each);
      play.started(each);
      const { task_id, attempt, lease } = each.payload;
      if (task_id === 'before') play.completed(each);
      if (!task_id.startsWith('w')) continue;
      const about = { task_id, attempt, lease, agent: 'a', step: 1 };
      play.report('m', 'dependency_required', { ...about, dependency: 'answer', reason: '' });
    }
  }
  const give = () =>
    play.report('m', 'dependency_resolved', {
      ...{ task_id: 'gives', attempt: 1, lease: 1, agent: 'a', step: 1 },
      ...{ dependency: 'answer', value: 'x'.repeat(4_000) },
    });
  return { play, give };
}

describe('a mission that outgrows its records', () => {
  it('fails alone when 300 tasks that wait for one answer of 4 kB would make a state that the changelog does not take', () => {
    const { play, give } = waitingForOneAnswer(300);
    const before = play.assignments().length;
    give();
    const { code, message } = failure(play, 'm');
    assert.equal(code, tooLarge);
    assert.match(
      String(message),
      /^the state of the mission: found \d{7} bytes, expected at most 900000; dropped/,
    );
    assert.match(String(message), /the report dependency_resolved r-\d+$/);
    assert.equal(play.assignments().length, before, 'nothing of what was dropped was sent');
    finish(play, 'neighbour');
    check(play);
  });

  it('completes when it is large, and fits', () => {
    const { play, give } = waitingForOneAnswer(150);
    give();
    const resumed = () => play.assignments().filter(({ payload }) => payload.lease === 2);
    for (let done = 0; done < resumed().length; done += 1) {
      const next = resumed()[done];
      if (next !== undefined) play.completed(next);
    }
    const gives = play.assignments().find(({ payload }) => payload.task_id === 'gives');
    const before = play.assignments().find(({ payload }) => payload.task_id === 'before');
    assert.ok(gives !== undefined && before !== undefined);
    play.completed(gives);
    assert.equal(typesOf(play, 'm').at(-1), 'mission_completed');
    check(play);
  });

  it('undoes what it did before it fails, as what waits is cancelled, and so there is room for it', () => {
    const { play, give } = waitingForOneAnswer(300, { undo: true });
    give();
    const undo = play.assignments().at(-1);
    assert.equal(undo?.payload.compensates, 'before');
    assert.ok(undo !== undefined);
    play.started(undo);
    play.completed(undo);
    const { code, compensated } = failure(play, 'm');
    assert.deepEqual([code, compensated], [tooLarge, ['before']]);
    check(play);
  });

  it('fails at once, and says what is not undone, when it outgrows them while it is being undone', () => {
    const play = new PartitionPlay({ roles: ['a', 'b'] });
    const compensation = { description: 'take it back', script: null };
    const ids = ['a0', 'a1', 'a2', 'a3'];
    const tasks = [
      taskSpec({ id: 'done', role: 'a', compensation }),
      ...ids.map((id) => taskSpec({ id, role: 'a', compensation })),
      taskSpec({ id: 'b', role: 'b' }),
    ];
    play.submit('m', { tasks, on_failure: 'compensate' });
    const assigned = play.assignments();
    for (const each of assigned) play.started(each);
    for (const each of assigned) if (each.payload.task_id === 'done') play.completed(each);
    // What is under way and can be undone is awaited; nobody bounds the code of a failure but its report.
    for (const id of ['b', ...ids]) {
      play.report('m', 'task_attempt_failed', {
        ...{ task_id: id, attempt: 1, lease: 1, agent: 'a', code: id.padEnd(id === 'b' ? 1 : 240_000, 'x') },
        ...{ message: '', steps: 0, journal_hash: '', retry_at: 0, usage: noUsage, duration_ms: 0 },
      });
    }
    const { code, message, compensated } = failure(play, 'm');
    assert.deepEqual([code, compensated], [tooLarge, []]);
    assert.match(String(message), /it was being undone for task_failed; not undone: done$/);
    check(play);
  });

  it('fails when an assignment with what it needs would be larger than roles read', () => {
    const play = new PartitionPlay({ roles: ['a', 'b'] });
    const needs = ['n0', 'n1', 'n2', 'n3'];
    const tasks = [
      ...needs.map((id) => taskSpec({ id, role: 'a' })),
      taskSpec({ id: 'large', role: 'b', needs, description: 'd'.repeat(236_000) }),
    ];
    play.submit('m', { tasks });
    for (const each of play.assignments()) {
      const { task_id, attempt, lease } = each.payload;
      const how = {
        result: 'r'.repeat(8 * 1024),
        steps: 0,
        journal_hash: '',
        duration_ms: 5,
        usage: noUsage,
      };
      play.started(each);
      play.report('m', 'task_completed', { task_id, attempt, lease, agent: 'a', ...how });
    }
    const { code, message } = failure(play, 'm');
    assert.equal(code, tooLarge);
    assert.match(String(message), /^task_assigned: found 26\d{4} bytes, expected at most 262144/);
    check(play);
  });

  it('fails with as many names as fit into its end', () => {
    const tasks = Array.from({ length: 3_000 }, (_, at) =>
      taskSpec({ id: `t${at}`.padEnd(128, '-'), role: 'a' }),
    );
    const accepted = decide(null, submit([tasks[0] as TaskSpec]), { now: start });
    assert.ok(accepted.kind === 'facts');
    const planned = { ...accepted.state, plan: indexPlan(tasks) };
    const state = { ...planned, tasks: tasks.map(() => ({ ...newTask, status: 'failed' as const })) };
    const decision = decide(
      state,
      { kind: 'fail', code: tooLarge, message: 'm', undo: false },
      { now: start },
    );
    assert.ok(decision.kind === 'facts');
    const about = { mission_id: missionId, priority: 'normal', causation_id: 'c', now: start } as const;
    for (const { bytes } of seal(decision.facts, { ...about, tail: noTail, codec }).events)
      assert.ok(bytes.length <= mostFactBytes, `found ${bytes.length}`);
  });

  it('is rejected when not even its first facts would fit', () => {
    const play = new PartitionPlay({ roles: ['a', 'b'] });
    play.submit('m', { brief: 'b'.repeat(262_000), tasks: [taskSpec({ id: 'a', role: 'a' })] });
    const [rejected] = play.facts('m');
    assert.equal(rejected?.event_type, 'mission_rejected');
    assert.equal(rejected?.payload['code'], tooLarge);
    play.submit('n', { tasks: [taskSpec({ id: 'n', role: 'b' })] });
    finish(play, 'n');
    check(play);
  });

  it('fails when what it would tell a mission within it is larger than that could read', () => {
    const play = new PartitionPlay({ roles: ['a', 'b', 'orchestrator'] });
    const needs = ['n0', 'n1', 'n2', 'n3'];
    const tasks = [
      ...needs.map((id) => taskSpec({ id, role: 'a' })),
      taskSpec({ id: 'part', role: 'orchestrator', needs, description: 'd'.repeat(215_000) }),
    ];
    play.submit('m', { tasks });
    for (const each of play.assignments('a')) {
      const { task_id, attempt, lease } = each.payload;
      // Quoted as JSON it is twice as long.
      const how = {
        result: '"'.repeat(8 * 1024),
        steps: 0,
        journal_hash: '',
        duration_ms: 5,
        usage: noUsage,
      };
      play.started(each);
      play.report('m', 'task_completed', { task_id, attempt, lease, agent: 'a', ...how });
    }
    const { code, message } = failure(play, 'm');
    assert.equal(code, tooLarge);
    assert.match(String(message), /^what task_assigned says to mission m:part:1: found \d{6} bytes/);
    assert.deepEqual(
      play.sent.filter(({ topic }) => topic === topics.missions),
      [],
    );
    check(play);
  });
});

describe('the size of a mission', () => {
  it('is never larger than it is taken for, on any journey', () => {
    fc.assert(
      fc.property(wideJourneys(), (journey) => {
        let bound = 0;
        let tail = noTail;
        let tasks = 0;
        for (const { decision, now } of travel(journey)) {
          if (decision.kind === 'ignored') continue;
          const { facts, state } = decision;
          const about = {
            mission_id: missionId,
            priority: state.priority,
            causation_id: 'c',
            now,
            tail,
            codec,
          };
          const sealed = seal(facts, about);
          tail = sealed.tail;
          bound = sizeAfter(bound, { facts: sealed.events, tasks: state.tasks.length - tasks }, () => ({
            state: 0,
            plan: 0,
          }));
          tasks = state.tasks.length;
          if (missionHasEnded(state)) return;
          const { state: ofState, plan } = sizeOf(state, tail, codec);
          assert.ok(ofState + plan <= bound, `found ${ofState} + ${plan} bytes, taken for ${bound}`);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('decides to fail at any moment of any journey, and the first of its facts tells what it was decided of', () => {
    fc.assert(
      fc.property(wideJourneys(), fc.boolean(), (journey, undo) => {
        for (const { before, now } of travel(journey)) {
          if (before === null || missionHasEnded(before)) continue;
          const decision = decide(before, { kind: 'fail', code: tooLarge, message: 'm', undo }, { now });
          assert.ok(decision.kind === 'facts');
          const [first] = decision.facts;
          assert.ok(first !== undefined);
          if (!undo) assert.equal(first.event_type, 'mission_failed');
          const event = seal([first], {
            ...{ mission_id: missionId, priority: 'normal', causation_id: 'c', now, tail: noTail, codec },
          }).events[0]?.event;
          const behind = event && inputBehind(event);
          assert.ok(behind);
          assert.deepEqual(decide(before, behind, { now }), decision);
        }
      }),
      { numRuns: 100 },
    );
  });
});
