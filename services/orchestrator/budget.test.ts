import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Amounts, MissionOptions } from '#schemas/types.gen.ts';
import { left } from './budget.ts';
import { decide } from './decide.ts';
import type { FactDraft } from './facts.ts';
import type { Input } from './input.ts';
import {
  answer,
  attemptFailed,
  completed,
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
import type { MissionState } from './state.ts';

const none: Amounts = { tokens: -1, calls: -1, cost_nanos: -1, time_ms: -1 };
const cent = 10_000_000;

const mission = (options: Partial<MissionOptions>, tasks = ['a', 'b', 'c'].map((id) => task(id))) =>
  submit(tasks, { policy: { ...policy, options: { ...policy.options, ...options } } });
const budgets = (facts: readonly FactDraft[]) =>
  facts.flatMap((each) => (each.event_type === 'task_assigned' ? [each.payload.budget] : []));
const types = (facts: readonly FactDraft[]) => facts.map(({ event_type }) => event_type);

function after(state: MissionState, input: Input, now = start + 1000) {
  const { decision } = given(state).when(input, now);
  if (decision.kind === 'ignored') assert.fail(decision.reason);
  return decision;
}

describe('a reservation', () => {
  it('is a tenth of the budget, what the mission says for each, or what the task says', () => {
    const budget = { ...none, tokens: 95, cost_nanos: cent };
    const tasks = [task('a'), task('b', [], { budget: { ...none, tokens: 3, time_ms: 9 } })];
    assert.deepEqual(budgets(history(mission({ budget }, tasks)).facts), [
      { ...none, tokens: 10, cost_nanos: cent / 10 },
      { ...none, tokens: 3, cost_nanos: cent / 10, time_ms: 9 },
    ]);
    const per_task = { ...none, tokens: 20, calls: 2 };
    assert.deepEqual(budgets(history(mission({ budget, per_task }, tasks)).facts), [
      { ...none, tokens: 20, calls: 2, cost_nanos: cent / 10 },
      { ...none, tokens: 3, calls: 2, cost_nanos: cent / 10, time_ms: 9 },
    ]);
    assert.deepEqual(budgets(history(mission({})).facts), [null, null, null]);
  });

  it('is settled with what the end reports, and the rest is free again', () => {
    const budget = { ...none, tokens: 100, calls: 10, cost_nanos: cent };
    const { state } = history(
      mission({ budget }),
      completed('a', {}, '', { input_tokens: 2, output_tokens: 1, calls: 1, cost_usd: 0.0001 }),
      attemptFailed('b', 'timeout', {}, { output_tokens: 4, calls: 1, cost_usd: 0.0002 }),
    );
    assert.deepEqual(left(state), {
      ...none,
      tokens: 100 - 7 - 10,
      calls: 7,
      cost_nanos: cent - 300_000 - cent / 10,
    });
  });

  it('stays with a resume, and bounds its time', () => {
    const budget = { ...none, tokens: 100, time_ms: 50_000 };
    const { state, facts } = history(mission({ budget }, [task('a')]), started('a'), released('a'));
    assert.deepEqual(budgets(facts), [
      { ...none, tokens: 10, time_ms: 5_000 },
      { ...none, tokens: 10, time_ms: 5_000 },
    ]);
    const last = facts.at(-1);
    assert.ok(last?.event_type === 'task_assigned');
    assert.equal(last.payload.timeout_ms, 4_999);
    // The second lease reports its own second only; the first one had run as well.
    const end = after(state, completed('a', { lease: 2 }), start + 3_001);
    assert.equal(end.state.spent_ms, 3_000);
  });

  it('is booked in full when nobody accounts for it', () => {
    const budget = { ...none, tokens: 100, cost_nanos: cent };
    const running = history(mission({ budget }, [task('a')]), started('a')).state;
    const due = start + 1 + policy.task_timeout_ms;
    const timedOut = after(running, timer('timeout', due, 'a'), due);
    const cancelled = after(running, { kind: 'cancel', reason: '', by: '' });
    for (const { state } of [timedOut, cancelled]) {
      assert.deepEqual([state.spent.input_tokens, state.spent.cost_usd], [10, 0.001]);
    }
    const [first] = cancelled.facts;
    assert.ok(first?.event_type === 'mission_cancelled');
    assert.deepEqual(first.payload.usage, cancelled.state.spent);
  });

  it('is booked in full for an attempt that loses its tenth lease', () => {
    const budget = { ...none, tokens: 100 };
    let { state } = history(mission({ budget }, [task('a')]), started('a'));
    let now = start + 1;
    let facts: readonly FactDraft[] = [];
    for (let lease = 1; lease <= 10; lease += 1) {
      assert.equal(state.spent.input_tokens, 0);
      if (lease > 1) ({ state } = after(state, started('a', { lease }), now));
      now += 10;
      ({ state, facts } = after(state, timer('lease', now, 'a', { lease }), now));
    }
    assert.deepEqual(types(facts), ['timer_fired', 'task_attempt_failed']);
    assert.equal(state.spent.input_tokens, 10);
  });

  it('takes a cost that is not known for all that was reserved, where money is limited', () => {
    const used = { cost_usd: null };
    const limited = history(
      mission({ budget: { ...none, cost_nanos: cent } }),
      completed('a', {}, '', used),
    ).state;
    assert.equal(limited.spent.cost_usd, 0.001);
    assert.equal(left(limited)?.cost_nanos, cent - 3 * (cent / 10));
    const unlimited = history(mission({}), completed('a', {}, '', used)).state;
    assert.equal(unlimited.spent.cost_usd, null);
  });
});

describe('a budget that does not reach', () => {
  const per_task = { ...none, tokens: 60 };
  const budget = { ...none, tokens: 100 };
  const all = { input_tokens: 60 };

  it('waits for what may come back, and stops the mission when nothing does', () => {
    const { state, facts } = history(mission({ budget, per_task }));
    assert.equal(budgets(facts).length, 1);
    assert.deepEqual(budgets(after(state, completed('a')).facts).length, 1);
    const stopped = after(state, completed('a', {}, '', all));
    const end = stopped.facts.at(-1);
    assert.ok(end?.event_type === 'mission_failed');
    assert.equal(end.payload.code, 'budget_exhausted');
    assert.match(end.payload.message, /reserves 60 tokens, and of 100 tokens 40 tokens are left/);
  });

  it('is asked about: the same again, cheaper, no, or no answer', () => {
    const { state, facts } = history(
      mission({ budget, per_task, on_exhausted: 'ask' }),
      completed('a', {}, '', all),
    );
    const asks = facts.at(-1);
    assert.ok(asks?.event_type === 'review_requested');
    assert.equal(asks.payload.review_id, 'm1/budget/0');
    given(state)
      .when(answer('m1/budget/0', 'happened', ''))
      .ignored('DecisionUnknown');
    given(state)
      .when(answer('m1/budget/0', 'approved', 'ff'))
      .ignored('ReviewDiffers');
    const more = after(state, answer('m1/budget/0', 'approved', ''));
    assert.deepEqual(types(more.facts), ['review_completed', 'task_assigned', 'task_assigned']);
    assert.equal(more.state.grants, 1);
    // Cheaper money buys no tokens: it is asked again, under another id, and cheaper than that there is none.
    const cheaper = after(state, answer('m1/budget/0', 'cheaper', ''));
    assert.deepEqual(
      cheaper.state.reviews.map(({ review_id }) => review_id),
      ['m1/budget/1'],
    );
    given(cheaper.state)
      .when(answer('m1/budget/0', 'cheaper', ''))
      .ignored('ReviewUnknown');
    given(cheaper.state)
      .when(answer('m1/budget/1', 'cheaper', ''))
      .ignored('DecisionUnknown');
    const no = after(state, answer('m1/budget/0', 'rejected', '')).facts.at(-1);
    assert.ok(no?.event_type === 'mission_failed' && no.payload.code === 'budget_exhausted');
  });

  it('goes to the cheaper model when no money may come back, with what is left, one at a time', () => {
    const money = { ...none, cost_nanos: 100 };
    const each = { ...none, cost_nanos: 60 };
    const { state, facts } = history(mission({ budget: money, per_task: each, on_exhausted: 'cheaper' }));
    assert.deepEqual([budgets(facts).length, state.cheaper], [1, false]);
    const next = after(state, completed('a', {}, '', { cost_usd: 60e-9 }));
    const [assigned, ...more] = next.facts.filter(({ event_type }) => event_type === 'task_assigned');
    assert.ok(assigned?.event_type === 'task_assigned' && more.length === 0);
    assert.deepEqual([assigned.payload.budget?.cost_nanos, assigned.payload.cheaper], [40, true]);
    // With nothing left, what costs nothing can still run.
    const last = after(next.state, completed('b', {}, '', { cost_usd: 40e-9 }), start + 2000);
    assert.deepEqual(budgets(last.facts), [{ ...none, cost_nanos: 0 }]);
    const tokens = history(
      mission({ budget, per_task, on_exhausted: 'cheaper' }),
      completed('a', {}, '', all),
    ).facts.at(-1);
    assert.ok(tokens?.event_type === 'mission_failed');
  });

  it('is decided on the same whatever comes first', () => {
    const { state } = history(mission({ budget: { ...none, cost_nanos: cent } }));
    const costs: [string, number][] = [
      ['a', 0.1 / 3],
      ['b', 0.000_000_001],
      ['c', 0.2],
    ];
    const sum = (order: typeof costs) =>
      order.reduce((before, [id, cost_usd], at) => {
        const decision = decide(before, completed(id, {}, '', { cost_usd }), { now: start + 10 + at });
        if (decision.kind === 'ignored') assert.fail(decision.reason);
        return decision.state;
      }, state).spent.cost_usd;
    assert.equal(sum(costs), sum(costs.toReversed()));
  });
});
