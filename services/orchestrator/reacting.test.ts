import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  emission,
  emits,
  joined,
  joins,
  joinTimer,
  pauses,
  payloadOf,
  raised,
  reacted,
  reacting,
  requests,
  settled,
} from './coordination-scenario.ts';
import { type FactDraft, own } from './facts.ts';
import type { Input } from './input.ts';
import {
  answer,
  assigned,
  attemptFailed,
  completed,
  fact,
  fired,
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
import type { MissionState } from './state.ts';
import { dueTimers, nextDue } from './timers.ts';

const trigger = `${missionId}:1`;
const types = (facts: readonly { readonly event_type: string }[]) =>
  facts.map(({ event_type }) => event_type);
const none = reacting({ planner: 'none' });

function after(state: MissionState, input: Input, now = start + 1000) {
  const { decision } = given(state).when(input, now);
  if (decision.kind === 'ignored') assert.fail(decision.reason);
  return decision;
}
const errorIn = (facts: readonly FactDraft[]) => payloadOf('error_raised', facts[0]);

describe('a task that a reaction asks for', () => {
  const { state } = history(submit([task('a')], reacting()));
  const spec = (id: string) => ({
    ...task(id, [], { hops: 1, caused_by: trigger }),
    ...{ timeout_ms: policy.task_timeout_ms, max_attempts: policy.max_attempts },
  });

  it('is added to the plan, in no wave, and given to its role', () => {
    const asked = requests('b', { context: 'the event' });
    given(state)
      .when(asked)
      .then([
        fact('task_requested', asked, { task: { ...spec('b'), context: 'the event' } }),
        assigned('b', { wave: 0, context: '## Given with the task\nthe event' }),
      ]);
    const { facts } = after(after(state, asked).state, completed('b'));
    assert.deepEqual(types(facts), ['task_completed']);
  });

  it('is asked for once', () => {
    const once = after(state, requests('b')).state;
    given(once).when(requests('b')).ignored('AlreadyRequested');
    given(once).when(requests('a')).ignored('AlreadyRequested');
    const done = after(once, completed('b')).state;
    given(done).when(requests('b')).ignored('AlreadyRequested');
  });

  it('waits for a place, for what it needs, and while a person is asked about the mission', () => {
    const narrow = { policy: { ...reacting().policy, max_in_flight: 1 } };
    const full = history(submit([task('a')], narrow)).state;
    assert.deepEqual(types(after(full, requests('b')).facts), ['task_requested']);
    assert.deepEqual(types(after(state, requests('b', { needs: ['a'] })).facts), ['task_requested']);
    const paused = after(state, pauses()).state;
    assert.deepEqual(types(after(paused, requests('b')).facts), ['task_requested']);
  });

  it('that is not valid is said, and nothing follows', () => {
    const known = history(submit([task('a')], { ...reacting(), roles: ['a_role', 'b_role'] })).state;
    const cases: [Input, string, RegExp][] = [
      [requests('c'), 'role_unknown', /"c".role: found "c_role", expected one of a_role, b_role/],
      [requests('b c', { role: 'b_role' }), 'invalid_plan', /expected 1 to 128 letters/],
      [requests('plan', { role: 'b_role' }), 'invalid_plan', /none of those of plans/],
      [requests('undo-a', { role: 'b_role' }), 'invalid_plan', /none of those of plans/],
      [requests('b', { needs: ['z'] }), 'invalid_plan', /needs "z", expected ids of tasks of the plan/],
      [requests('b', { kind: 'plan' }), 'invalid_plan', /kind/],
      [requests('b', { timeout_ms: 1 }), 'invalid_plan', /timeout_ms/],
      [requests('b', { description: 'x'.repeat(250_000) }), 'invalid_plan', /bytes in all/],
      [requests('b', { hops: 17 }), 'hop_limit', /found 17 reactions one after another, expected at most 16/],
    ];
    for (const [input, code, message] of cases) {
      const { facts, state: then } = after(known, input);
      assert.deepEqual(types(facts), ['error_raised'], code);
      assert.equal(errorIn(facts).code, code);
      assert.match(errorIn(facts).message, message);
      assert.deepEqual([errorIn(facts).subscription, errorIn(facts).trigger], ['sub', trigger]);
      assert.equal(then.tasks.length, 1);
    }
    const failed = history(
      submit([task('a'), task('c')], { policy: { ...reacting().policy, on_failure: 'continue' } }),
      attemptFailed('a', 'unauthorized'),
    ).state;
    assert.match(errorIn(after(failed, requests('b', { needs: ['a'] })).facts).message, /did not complete/);
  });

  it('outlives the plan that is made while it runs, even one that uses its id', () => {
    const planning = history(submit([], reacting()), requests('b'), requests('c'), completed('c')).state;
    assert.equal(planning.status, 'planning');
    const made = (ids: readonly string[]) =>
      completed('plan', {}, JSON.stringify({ tasks: ids.map((id) => ({ id, role: 'a_role' })) }));
    const { facts, state: planned } = after(planning, made(['x']));
    const plan = payloadOf(
      'plan_created',
      facts.find((each) => each.event_type === 'plan_created'),
    );
    assert.deepEqual(
      plan.tasks.map(({ id, wave }) => [id, wave]),
      [
        ['x', 1],
        ['b', 0],
        ['c', 0],
      ],
    );
    assert.deepEqual(
      planned.tasks.map(({ status }) => status),
      ['assigned', 'assigned', 'completed'],
    );
    const { state: renamed } = after(planning, made(['b', 'y']));
    assert.deepEqual(
      renamed.plan?.tasks.map(({ id }) => id),
      ['p.b', 'p.y', 'b', 'c'],
    );
  });

  it('is cancelled where only a plan was asked for', () => {
    const planning = history(submit([], reacting({ plan_only: true })), requests('b')).state;
    const plan = completed('plan', {}, JSON.stringify({ tasks: [{ id: 'x', role: 'a_role' }] }));
    const end = after(planning, plan);
    assert.deepEqual(types(end.facts).slice(-2), ['task_cancelled', 'mission_completed']);
    assert.deepEqual(
      end.state.tasks.map(({ status }) => status),
      ['cancelled', 'cancelled'],
    );
  });

  it('goes on when the mission is planned anew', () => {
    const policyOf = reacting().policy;
    const narrow = { ...policyOf, max_in_flight: 2, on_failure: 'replan' };
    const before = history(
      submit([task('a'), task('d', ['a'])], { policy: narrow }),
      requests('b'),
      requests('c'),
    ).state;
    assert.deepEqual(
      before.tasks.map(({ status }) => status),
      ['assigned', 'pending', 'assigned', 'pending'],
    );
    const again = after(before, attemptFailed('a', 'unauthorized'));
    assert.deepEqual(
      again.state.plan?.tasks.map(({ id }) => id),
      ['b', 'c', 'replan-1'],
    );
    assert.ok(
      again.facts.some((each) => each.event_type === 'task_assigned' && each.payload.task_id === 'c'),
    );
    const planner = after(again.state, completed('b')).state;
    const plan = completed('replan-1', {}, JSON.stringify({ tasks: [{ id: 'x', role: 'a_role' }] }));
    const planned = after(planner, plan).state;
    assert.deepEqual(
      planned.plan?.tasks.map(({ id }) => id),
      ['b', 'c', 'r1.x'],
    );
  });
});

describe('a pause that a reaction asks for', () => {
  const { state } = history(submit([task('a'), task('b', ['a'])], reacting()));
  const paused = after(state, pauses('an alarm'));
  const id = `${missionId}/pause/${state.sequence + 1}`;

  it('asks a person, once, and begins nothing until the answer', () => {
    assert.deepEqual(types(paused.facts), ['pause_requested', 'review_requested']);
    const asked = payloadOf('review_requested', paused.facts[1]);
    assert.deepEqual(
      [asked.review_id, asked.kind, asked.task_id, asked.reason],
      [id, 'pause', '', 'an alarm'],
    );
    assert.deepEqual(types(after(paused.state, pauses()).facts), ['pause_requested']);
    const waits = after(paused.state, completed('a'));
    assert.deepEqual(types(waits.facts), ['task_completed', 'wave_completed']);
    const goesOn = after(waits.state, answer(id, 'approved', ''));
    assert.deepEqual(types(goesOn.facts), ['review_completed', 'wave_started', 'task_assigned']);
  });

  it('that is rejected ends the mission', () => {
    const end = after(paused.state, answer(id, 'rejected', ''));
    assert.deepEqual(types(end.facts), ['review_completed', 'task_cancelled', 'mission_failed']);
    assert.equal(payloadOf('mission_failed', end.facts.at(-1)).code, 'pause_rejected');
  });

  it('holds the end of a mission that has nothing else to do, be it its own or a standing reaction', () => {
    const plain = after(history(submit([task('a')])).state, pauses()).state;
    const done = after(plain, completed('a'));
    assert.ok(!types(done.facts).includes('mission_completed'));
    const review = done.state.reviews[0]?.review_id ?? '';
    assert.equal(after(done.state, answer(review, 'approved', '')).state.status, 'completed');
    const own = after(after(history(submit([task('a')], reacting())).state, pauses()).state, completed('a'));
    given(own.state).when(settled(own.state.sequence)).ignored('NotSettled');
  });
});

describe('what is emitted', () => {
  it('by a reaction is a fact, within the hop limit', () => {
    const { state } = history(submit([task('a')], reacting({ max_hops: 3 })));
    assert.deepEqual(types(after(state, reacted('e', 3)).facts), ['event_emitted']);
    const beyond = after(state, reacted('e', 4));
    assert.deepEqual([types(beyond.facts), errorIn(beyond.facts).code], [['error_raised'], 'hop_limit']);
  });

  it('by a person is a fact, of a mission that is known and goes on', () => {
    const { state } = history(submit([task('a')]));
    const [said] = after(state, emission('Approved')).facts;
    assert.deepEqual([said?.source_agent, said?.target_agent], ['person:ann', 'squad']);
    given(null).when(emission('Approved')).ignored('MissionUnknown');
    given(after(state, completed('a')).state)
      .when(emission('Approved'))
      .ignored('MissionEnded');
  });

  it('by a task is a report of that task', () => {
    const { state } = history(submit([task('a')]));
    given(state).when(emits('a', 'e')).ignored('NotRunning');
    given(state).when(emits('b', 'e')).ignored('TaskUnknown');
  });
});

describe('a join', () => {
  const due = start + 5_000;
  const { state } = history(submit([task('a')], reacting()), joins('all', due));

  it('is opened once and closed once', () => {
    assert.deepEqual(state.joins, [{ aggregation: 'all', due_at: due }]);
    given(state).when(joins('all', due)).ignored('AlreadyRequested');
    const closed = after(state, joined('all'));
    assert.equal(nextDue(closed.state), closed.state.deadline_at);
    given(closed.state).when(joins('all', due)).ignored('AlreadyRequested');
    given(closed.state).when(joinTimer('all', due), due).ignored('TimerStale');
    for (const end of ['aggregation_completed', 'aggregation_timed_out'] as const)
      given(closed.state).when(joined('all', end)).ignored('AggregationUnknown');
  });

  it('has a timer that fires once; what was missing is for the correlator to say', () => {
    assert.equal(nextDue(state), due);
    const [timer] = dueTimers(state, due);
    assert.deepEqual(timer, joinTimer('all', due));
    given(state)
      .when(joinTimer('all', due), due - 1)
      .ignored('TimerStale');
    given(state)
      .when(joinTimer('all', due + 1), due + 1)
      .ignored('TimerStale');
    given(state).when(joinTimer('other', due), due).ignored('TimerStale');
    given(state)
      .when(joinTimer('all', due), due)
      .then([fired(joinTimer('all', due))]);
    const over = after(state, joinTimer('all', due), due).state;
    assert.equal(nextDue(over), over.deadline_at);
    given(over).when(joinTimer('all', due), due).ignored('TimerStale');
    given(over).when(joinTimer('all', 0), due).ignored('TimerStale');
    const timedOut = after(over, joined('all', 'aggregation_timed_out'), due).state;
    given(timedOut).when(joined('all'), due).ignored('AggregationUnknown');
  });

  it('is gone with its mission, and there are at most so many', () => {
    const ended = after(state, { kind: 'cancel', reason: 'enough', by: 'ann' }).state;
    assert.deepEqual([ended.joins, nextDue(ended)], [[], null]);
    let many = state;
    for (let at = 1; at < 256; at += 1) many = after(many, joins(`j${at}`)).state;
    const refused = after(many, joins('one more'));
    assert.deepEqual([types(refused.facts), errorIn(refused.facts).where], [['error_raised'], 'one more']);
  });
});

describe('a mission that reacts', () => {
  it('ends when all its tasks have, and its reactions have seen everything', () => {
    const { state } = history(submit([task('a')], reacting()));
    given(state).when(settled(state.sequence)).ignored('NotSettled');
    const done = after(state, completed('a'));
    assert.deepEqual(types(done.facts), ['task_completed', 'wave_completed']);
    const at = done.state.sequence;
    given(done.state)
      .when(settled(at - 1))
      .ignored('NotSettled');
    given(done.state)
      .when(settled(at + 1))
      .ignored('NotSettled');
    const end = after(done.state, settled(at));
    assert.deepEqual(types(end.facts), ['reactions_settled', 'mission_completed']);
    // A report that came before has made the settling old.
    const later = after(done.state, requests('b')).state;
    given(later).when(settled(at)).ignored('NotSettled');
    given(later).when(settled(later.sequence)).ignored('NotSettled');
  });

  it('fails at once when it fails fast, and as always when it goes on to its end', () => {
    const fast = history(
      submit([task('a'), task('b')], reacting()),
      attemptFailed('a', 'unauthorized'),
    ).state;
    assert.equal(fast.status, 'failed');
    const slow = history(
      submit([task('a')], { policy: { ...reacting().policy, on_failure: 'continue' } }),
      attemptFailed('a', 'unauthorized'),
    ).state;
    assert.equal(slow.status, 'running');
    assert.equal(after(slow, settled(slow.sequence)).state.status, 'failed');
  });

  it('and has no tasks begins with an empty plan and its events, and with no planner', () => {
    const event = { name: 'Approved', topic: 'story', severity: '', data: '{"id":1}' };
    const { facts, state } = history(
      submit([], { ...reacting({ planner: 'none', events: [event] }), brief: '' }),
    );
    assert.deepEqual(types(facts), ['mission_accepted', 'plan_created', 'event_emitted']);
    const nobody = { task_id: '', attempt: 0, lease: 0, agent: '', step: 0 };
    const plan = { tasks: [], waves: 0, made_by: 'reactions', notes: [] };
    assert.deepEqual(facts.slice(1), [
      own('plan_created', plan),
      own('event_emitted', { ...event, ...nobody, subscription: '', trigger: '', hops: 0 }),
    ]);
    assert.deepEqual([state.status, state.tasks.length], ['running', 0]);
    const through = history(
      submit([], { ...none, brief: '' }),
      requests('a'),
      started('a'),
      completed('a'),
      settled(6),
    );
    assert.equal(through.state.status, 'completed');
    assert.equal(after(history(submit([], none)).state, settled(2)).state.status, 'completed');
  });

  it('says its events behind a plan, too; a mission of nothing is refused', () => {
    const events = [{ name: 'Begun', topic: '', severity: '', data: '' }];
    const { facts } = history(submit([task('a')], reacting({ events })));
    assert.equal(types(facts).at(-1), 'event_emitted');
    const { facts: refused } = history(
      submit([], { policy: { ...policy, options: { ...policy.options, planner: 'none' } } }),
    );
    assert.deepEqual(types(refused), ['mission_rejected']);
    assert.deepEqual(types(history(submit([], reacting({ planner: 'none', plan_only: true }))).facts), [
      'mission_rejected',
    ]);
  });

  it('reports errors as plain facts, and its deadline holds', () => {
    const { state } = history(submit([], none));
    assert.deepEqual(types(after(state, raised('hop_limit')).facts), ['error_raised']);
    const end = after(state, timer('deadline', state.deadline_at), state.deadline_at);
    assert.deepEqual(types(end.facts), ['timer_fired', 'mission_failed']);
  });
});
