import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  decided,
  emits,
  handedOff,
  pauses,
  payloadOf,
  provides,
  reacting,
  requests,
  requires,
  saves,
  settled,
  shares,
} from './coordination-scenario.ts';
import { type FactDraft, own } from './facts.ts';
import type { Input } from './input.ts';
import {
  assigned,
  attemptFailed,
  cancelled,
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
} from './scenario.ts';
import type { MissionState } from './state.ts';
import { nextDue } from './timers.ts';

const narrow = { policy: { ...policy, max_in_flight: 1 } };
const journal = { journal_partition: 2, journal_offset: 40 };
const types = (facts: readonly { readonly event_type: string }[]) =>
  facts.map(({ event_type }) => event_type);

function after(state: MissionState, input: Input, now = start + 1000) {
  const { decision } = given(state).when(input, now);
  if (decision.kind === 'ignored') assert.fail(decision.reason);
  return decision;
}

describe('what an agent says in the middle of its task', () => {
  const { state } = history(submit([task('a'), task('b')]), started('a'));
  const all = [
    decided('a'),
    saves('a', 'half'),
    shares('a', 'api', 'v1'),
    provides('a', 'x', '1'),
    emits('a', 'e'),
  ];

  it('is a fact, once for each step, and only while the attempt runs', () => {
    for (const input of all) {
      const first = after(state, input);
      assert.equal(first.facts.length, 1);
      assert.equal(first.state.tasks[0]?.reported, 3);
      // Made again after a crash, under a later lease or the same one.
      given(first.state).when(input).ignored('AlreadySaid');
      for (const other of all) given(first.state).when(other).ignored('AlreadySaid');
      assert.equal(after(first.state, decided('a', {}, 4)).state.tasks[0]?.reported, 4);
    }
    given(state).when(decided('b')).ignored('NotRunning');
    given(state).when(emits('b', 'e')).ignored('NotRunning');
    given(state)
      .when(decided('a', { lease: 2 }))
      .ignored('LeaseStale');
    given(state)
      .when(emits('a', 'e', { attempt: 2 }))
      .ignored('AttemptStale');
    given(state).when(decided('nobody')).ignored('TaskUnknown');
  });

  it('counts anew in the next attempt', () => {
    const failed = history(
      submit([task('a')]),
      started('a'),
      decided('a', {}, 9),
      attemptFailed('a', 'timeout'),
    ).state;
    const again = after(failed, timer('retry', failed.tasks[0]?.retry_at ?? 0, 'a'), start + 60_000);
    assert.equal(again.state.tasks[0]?.reported, 0);
    const running = after(again.state, started('a', { attempt: 2 }), start + 60_000).state;
    assert.equal(after(running, decided('a', { attempt: 2 }, 1), start + 60_000).state.tasks[0]?.reported, 1);
  });

  it('carries the reactions that led to it, whatever the agent says', () => {
    const reacting = history(submit([task('a', [], { hops: 3 })]), started('a')).state;
    const [said] = after(reacting, emits('a', 'e')).facts;
    assert.equal(payloadOf('event_emitted', said).hops, 3);
  });
});

describe('a task that waits for what another provides', () => {
  const two = [task('a'), task('b')];
  const waiting = history(submit(two), started('a'), started('b'), requires('a', 'api')).state;
  const answers = (value: string, step = 3) => [
    { review_id: 'dependency/api', step, arguments_hash: '', decision: 'resolved', comment: value },
  ];
  const answered = (value: string, attempt = 1, lease = 1) =>
    own('dependency_resolved', {
      ...{ task_id: 'a', attempt, lease, agent: '', step: 3, dependency: 'api', value },
    });

  it('is parked: its place is free, its clock stands still, its lease is over', () => {
    const { state, facts } = history(submit(two, narrow), started('a'), requires('a', 'api'));
    assert.deepEqual(types(facts.slice(-2)), ['dependency_required', 'task_assigned']);
    const [parked] = state.tasks;
    assert.deepEqual([parked?.status, parked?.waiting_for], ['parked', 'api']);
    assert.equal(parked?.timeout_left, policy.task_timeout_ms - 1);
    assert.equal(nextDue(state), state.deadline_at);
    for (const late of [completed('a'), requires('a', 'api'), decided('a', {}, 9)])
      given(state).when(late).ignored('LeaseStale');
  });

  it('goes on with the value as soon as it is provided', () => {
    given(waiting)
      .when(provides('b', 'api', 'v1'))
      .then([
        fact('dependency_resolved', provides('b', 'api', 'v1')),
        answered('v1'),
        assigned('a', {
          lease: 2,
          timeout_ms: policy.task_timeout_ms - 2,
          ...journal,
          answers: answers('v1'),
        }),
      ]);
  });

  it('goes on at once with what was provided before, the newest of it, in every attempt', () => {
    const before = history(submit(two), started('a'), started('b'), provides('b', 'api', 'v1')).state;
    const newer = after(before, provides('b', 'api', 'v2', {}, 4)).state;
    given(newer)
      .when(requires('a', 'api'))
      .then([
        fact('dependency_required', requires('a', 'api')),
        answered('v2'),
        assigned('a', {
          lease: 2,
          timeout_ms: policy.task_timeout_ms - 999,
          ...journal,
          answers: answers('v2'),
        }),
      ]);
  });

  it('waits for a place, and for nothing else', () => {
    const full = history(
      submit([task('a'), task('b')], narrow),
      started('a'),
      requires('a', 'api'),
      started('b'),
    );
    const provided = after(full.state, provides('b', 'api', 'v1'));
    assert.deepEqual(types(provided.facts), ['dependency_resolved', 'dependency_resolved']);
    assert.deepEqual([provided.state.tasks[0]?.status, provided.state.tasks[0]?.waiting_for], ['parked', '']);
    assert.deepEqual(types(after(provided.state, completed('b')).facts), ['task_completed', 'task_assigned']);
  });

  it('is told that nothing is left that could provide it, when all that is left waits', () => {
    const end = after(waiting, completed('b'));
    assert.deepEqual(types(end.facts), ['task_completed', 'error_raised', 'task_assigned']);
    const [, error, again] = end.facts;
    assert.equal(payloadOf('error_raised', error).code, 'dependency_unavailable');
    const [answer] = payloadOf('task_assigned', again).answers;
    assert.deepEqual(
      [answer?.decision, answer?.step, answer?.review_id],
      ['unavailable', 3, 'dependency/api'],
    );
    // The other one waits, too, and a third needs the first.
    const three = [...two, task('c', ['a'])];
    const both = history(
      submit(three),
      started('a'),
      started('b'),
      requires('a', 'api'),
      requires('b', 'ui'),
    );
    assert.deepEqual(types(both.facts.slice(-5)), [
      'dependency_required',
      'error_raised',
      'error_raised',
      'task_assigned',
      'task_assigned',
    ]);
  });

  it('of a mission that reacts is told so when its reactions have settled, and not before', () => {
    const react = { policy: reacting().policy };
    const { state } = history(submit(two, react), started('a'), started('b'), requires('a', 'api'));
    given(state).when(settled(state.sequence)).ignored('NotSettled');
    const done = after(state, completed('b'));
    assert.ok(!types(done.facts).includes('error_raised'));
    const at = done.state.sequence;
    given(done.state)
      .when(settled(at - 1))
      .ignored('NotSettled');
    const told = after(done.state, settled(at));
    assert.deepEqual(types(told.facts), ['reactions_settled', 'error_raised', 'task_assigned']);
    assert.equal(payloadOf('task_assigned', told.facts[2]).answers[0]?.decision, 'unavailable');
    // It goes on: the same settling counts no more.
    given(told.state).when(settled(told.state.sequence)).ignored('NotSettled');
    // A reaction brings in who provides it.
    const asked = after(done.state, requests('c')).state;
    given(asked).when(settled(at)).ignored('NotSettled');
    const runs = after(asked, started('c')).state;
    const resumed = after(runs, provides('c', 'api', 'v1'));
    assert.equal(payloadOf('task_assigned', resumed.facts.at(-1)).answers[0]?.comment, 'v1');
    // A person may be asked first.
    const paused = after(done.state, pauses()).state;
    given(paused).when(settled(paused.sequence)).ignored('NotSettled');
  });

  it('that is to undo something is told at once, as no reaction adds to what is being undone', () => {
    const policyOf = { ...reacting().policy, on_failure: 'compensate' };
    const undone = { compensation: { description: 'back', script: null } };
    const { state } = history(
      submit([task('a', [], undone), task('b', ['a'])], { policy: policyOf }),
      started('a'),
      completed('a'),
      started('b'),
      attemptFailed('b', 'unauthorized'),
      started('undo-a'),
    );
    const asks = after(state, requires('undo-a', 'api'));
    assert.deepEqual(types(asks.facts), ['dependency_required', 'error_raised', 'task_assigned']);
  });

  it('goes on waiting while something runs, waits for another try or for a person', () => {
    assert.deepEqual(types(after(waiting, attemptFailed('b', 'timeout')).facts), ['task_attempt_failed']);
    const three = [task('a'), task('b'), task('c', ['b'])];
    const later = history(submit(three), started('a'), requires('a', 'api'), completed('b')).facts;
    assert.deepEqual(types(later.slice(-3)), ['task_completed', 'wave_started', 'task_assigned']);
    assert.ok(!types(later).includes('error_raised'));
  });

  it('is told so when it holds all that is left of the budget', () => {
    const budget = { tokens: 10, calls: -1, cost_nanos: -1, time_ms: -1 };
    const options = { ...policy.options, budget, per_task: { ...budget, tokens: 10 } };
    const { facts } = history(
      submit(two, { policy: { ...policy, options } }),
      started('a'),
      requires('a', 'api'),
    );
    assert.deepEqual(types(facts.slice(-3)), ['dependency_required', 'error_raised', 'task_assigned']);
  });

  it('is cancelled with its mission', () => {
    given(waiting)
      .when({ kind: 'cancel', reason: 'enough', by: 'ann' })
      .then([
        own('mission_cancelled', {
          reason: 'enough',
          cancelled_by: 'ann',
          completed: 0,
          usage: waiting.spent,
          compensated: [],
        }),
        cancelled('a', 'the mission was cancelled'),
        cancelled('b', 'the mission was cancelled'),
      ]);
  });
});

describe('a hand-over', () => {
  const one = [task('a', [], { max_attempts: 1, context: 'from the plan' })];
  const { state } = history(submit(one), started('a'));
  const context = (text: string) => `## Given with the task\n${text}`;
  const passed = 'from the plan\n\nHanded over by a_role (not mine):\na found out';

  it('books the attempt and gives the task to the other role, with what the first one says', () => {
    const used = { input_tokens: 5, calls: 1 };
    const over = after(state, handedOff('a', 'b_role', {}, used));
    assert.deepEqual(types(over.facts), ['agent_handoff', 'task_assigned']);
    const { role, attempt, lease, ...told } = payloadOf('task_assigned', over.facts[1]);
    assert.deepEqual([role, attempt, lease, over.facts[1]?.target_agent], ['b_role', 2, 1, 'b_role']);
    assert.equal(told.context, context(passed));
    assert.deepEqual([over.state.spent.input_tokens, over.state.tasks[0]?.handoffs], [5, 1]);
    given(over.state).when(completed('a')).ignored('AttemptStale');
  });

  it('is no failed attempt: the other role has as many as the first', () => {
    const two = [task('a', [], { max_attempts: 2 })];
    const over = history(
      submit(two),
      started('a'),
      handedOff('a', 'b_role'),
      started('a', { attempt: 2 }),
    ).state;
    const failed = after(over, attemptFailed('a', 'timeout', { attempt: 2 }));
    assert.deepEqual(types(failed.facts), ['task_attempt_failed']);
    assert.equal(payloadOf('task_attempt_failed', failed.facts[0]).retry_at, start + 2000);
  });

  it('to a role that there is not fails the task, and says which there are', () => {
    const known = history(submit(one, { roles: ['a_role', 'b_role'] }), started('a')).state;
    for (const role of ['c_role', 'orchestrator', 'no role', '']) {
      const [failed] = after(known, handedOff('a', role)).facts;
      const { code, message } = payloadOf('task_failed', failed);
      assert.equal(code, 'role_unknown');
      assert.match(message, /expected one of a_role, b_role/);
    }
  });

  it('comes to an end after five of them', () => {
    let now = state;
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      now = after(now, handedOff('a', attempt % 2 === 1 ? 'b_role' : 'a_role', { attempt })).state;
      now = after(now, started('a', { attempt: attempt + 1 })).state;
    }
    const last = after(now, handedOff('a', 'a_role', { attempt: 6 }));
    assert.deepEqual(types(last.facts).slice(0, 1), ['task_failed']);
    assert.equal(payloadOf('task_failed', last.facts[0]).code, 'hop_limit');
    assert.equal(last.state.status, 'failed');
  });

  it('is for work only: a planner plans itself', () => {
    const planning = history(submit([]), started('plan')).state;
    const [failed] = after(planning, handedOff('plan', 'b_role')).facts;
    assert.equal(payloadOf('task_failed', failed).code, 'unauthorized');
  });
});

describe('the context of an assignment', () => {
  const contextOf = (facts: readonly FactDraft[], id: string) =>
    facts.flatMap(({ event_type, payload }) =>
      event_type === 'task_assigned' && payload.task_id === id ? [payload.context] : [],
    );

  it('has what the others share, the newest of each scope', () => {
    const { facts } = history(
      submit([task('a'), task('b', ['a'])]),
      started('a'),
      shares('a', 'api', 'v1'),
      shares('a', 'ui', 'blue', {}, 4),
      shares('a', 'api', 'v2', {}, 5),
      completed('a'),
    );
    assert.deepEqual(contextOf(facts, 'a'), ['']);
    assert.deepEqual(contextOf(facts, 'b'), ['## Shared: ui\nblue\n\n## Shared: api\nv2']);
  });

  it('has the checkpoint of an earlier attempt, but not that of its own', () => {
    const failed = history(
      submit([task('a')]),
      started('a'),
      saves('a', 'row 17'),
      attemptFailed('a', 'timeout'),
    ).state;
    const next = after(failed, timer('retry', failed.tasks[0]?.retry_at ?? 0, 'a'), start + 60_000);
    assert.deepEqual(contextOf(next.facts, 'a'), ['## Checkpoint of attempt 1: half\nrow 17']);
    const running = after(next.state, started('a', { attempt: 2 }), start + 60_000).state;
    const lost = timer('lease', running.tasks[0]?.lease_until ?? 0, 'a', { attempt: 2 });
    // It began with that checkpoint, so it goes on with it.
    assert.deepEqual(contextOf(after(running, lost, start + 90_000).facts, 'a'), contextOf(next.facts, 'a'));
    const saved = after(running, saves('a', 'row 30', { attempt: 2 }), start + 60_000).state;
    assert.deepEqual(contextOf(after(saved, lost, start + 90_000).facts, 'a'), ['']);
  });

  it('has limits, and so has what is kept', () => {
    let { state } = history(submit([task('a'), task('b', ['a'])]), started('a'));
    for (let step = 1; step <= 40; step += 1) {
      const shared = shares('a', `scope ${step}`, 'x'.repeat(9_000), {}, 3 * step);
      state = after(state, shared).state;
      state = after(state, provides('a', `d${step * 3}`, 'y'.repeat(9_000), {}, 3 * step + 1)).state;
      state = after(state, saves('a', 'z'.repeat(90_000), {}, 3 * step + 2)).state;
    }
    assert.deepEqual([state.shared.length, state.shared.at(-1)?.name], [16, 'scope 40']);
    assert.ok(state.shared.every(({ text }) => Buffer.byteLength(text) <= 2048));
    assert.ok(state.provided.every(({ text }) => Buffer.byteLength(text) <= 4096));
    assert.ok(Buffer.byteLength(state.tasks[0]?.checkpoint ?? '') <= 8192);
    const [context = ''] = contextOf(after(state, completed('a')).facts, 'b');
    assert.ok(Buffer.byteLength(context) <= 16 * 2100, `${Buffer.byteLength(context)} bytes`);
  });
});
