/** Two hundred tasks on a budget for fifty, what happens at its end, and books that agree with who was paid. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readTopic } from '#chassis/reader.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { noOptions } from '#schemas/mission-command.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { Amounts, EventOf, TaskSpec } from '#schemas/types.gen.ts';
import { nanosOf, query, untilEnded, verifyAll } from './books.ts';
import { type Namespace, openNamespace } from './harness.ts';
import { chargedBy, type Mind, type Minds, says, startMinds } from './minds.ts';

/** Prices of this model are the same however long the prompt is, so that a reservation is not far above a charge. */
const paid = 'claude-haiku-4-5';
const mostOutput = 1000;

const scribe = `---
name: scribe
description: Writes one long answer, and needs no tool.
model:
  provider: anthropic
  name: ${paid}
  max_tokens: ${mostOutput}
  cheaper: { provider: ollama, name: llama3.1 }
tools: []
limits: { max_steps: 4, concurrency: 256 }
---
You write what the task asks for.
`;

const nothing: Amounts = { tokens: -1, calls: -1, cost_nanos: -1, time_ms: -1 };
const money = (cost_nanos: number): Amounts => ({ ...nothing, cost_nanos });
const tasks = (count: number): TaskSpec[] =>
  Array.from({ length: count }, (_, i) =>
    taskSpec({ id: `page-${i + 1}`, role: 'scribe', description: 'Write a page.' }),
  );

/** About as long as it may be, and slow enough for many to be in the air at once. */
const page: Mind = async (_asked, signal) => {
  await sleep(60, undefined, { signal }).catch(() => undefined);
  return says('word '.repeat(700));
};

/** The most that a call of this role can cost, and what one page really costs: found by one mission without a budget. */
interface Costs {
  readonly share: number;
  readonly page: number;
}

interface Stage {
  readonly space: Namespace;
  readonly minds: Minds;
  readonly costs: Costs;
}

async function setStage(t: TestContext): Promise<Stage> {
  const space = await openNamespace(t, { roles: ['scribe'], roleFiles: { scribe } });
  const minds = await startMinds(t, { anthropic: page, ollama: page });
  const many = { RAVENHELM_MODEL_CONCURRENCY: '256', MAX_WORKERS_PER_ROLE: '256' };
  await Promise.all([
    space.start('orchestrator'),
    space.start('worker', { env: { ...minds.env, ...many } }),
    space.start('projector'),
  ]);
  const mission = await space.submit({ tasks: tasks(1) });
  await space.facts.end(mission);
  const each = minds.charged();
  assert.ok(each > 4_000_000, `a page costs ${each} nano-dollars`);
  // The output at its longest, and a prompt that is counted in bytes, not in tokens.
  return { space, minds, costs: { page: each, share: 2 * each + 1_000_000 } };
}

const ended = (space: Namespace, mission: string, type: string) =>
  space.facts.of(mission).filter(({ event_type }) => event_type === type).length;

/** What the orchestrator's own changelog says is spent: the newest of the mission. */
async function spentInState(space: Namespace, mission: string): Promise<number> {
  const { kafka, topics, codec } = space.context;
  let nanos = Number.NaN;
  await readTopic({
    kafka,
    topic: topics.state('orchestrator'),
    prefix: space.prefix,
    until: 'end',
    signal: AbortSignal.timeout(30_000),
    each({ message }) {
      if (message.key?.toString() !== `mission/${mission}` || message.value === null) return;
      const { name, value } = codec.decode(message.value);
      if (name === 'MissionState') nanos = nanosOf(value.spent.cost_usd);
    },
  });
  return nanos;
}

/** All that keep books say the same as who was paid. */
async function checkMoney(space: Namespace, mission: string, charged: number): Promise<void> {
  const end = await space.facts.end(mission);
  assert.ok('usage' in end.payload);
  assert.equal(nanosOf(end.payload.usage.cost_usd), charged, 'the ledger');
  assert.equal(await spentInState(space, mission), charged, 'the changelog');
  await untilEnded(space, mission);
  const [row] = await query<{ spent_cost_nanos: string; reserved_cost_nanos: string }>(
    space,
    'select spent_cost_nanos, reserved_cost_nanos from mission_budgets where mission_id = $1',
    [mission],
  );
  assert.equal(Number(row?.spent_cost_nanos), charged, 'mission_budgets');
  assert.equal(Number(row?.reserved_cost_nanos), 0, 'nothing stays reserved');
  // Calls come from the steps, which are folded apart from the ledger.
  let calls = Number.NaN;
  for (let tries = 0; calls !== charged && tries < 200; tries += 1) {
    const [row] = await query<{ nanos: string }>(
      space,
      'select sum(cost_nanos) as nanos from model_calls where mission_id = $1',
      [mission],
    );
    calls = Number(row?.nanos);
    if (calls !== charged) await sleep(100);
  }
  assert.equal(calls, charged, 'model_calls');
}

/** Answers a review, and waits until the answer is on the ledger. */
async function answer(space: Namespace, mission: string, review_id: string, decision: string) {
  await space.command({ event_type: 'review_completed', correlation_id: mission, review_id, decision });
  const isIt = (fact: FactEvent) =>
    fact.event_type === 'review_completed' && fact.payload.review_id === review_id;
  await space.facts.until(({ all }) => all.some(({ event }) => isIt(event)), `answer to ${review_id}`);
}

test('budgets', { timeout: 180_000 }, async (t) => {
  const stage = await setStage(t);
  const { space, minds, costs } = stage;
  const { anthropic, ollama } = minds.fakes;
  const limits = { max_in_flight: 500, task_timeout_ms: 0, lease_ms: 0, deadline_ms: 0, max_attempts: 0 };

  await t.test('200 tasks on a budget for 50 are never over it', async (t) => {
    const budget = 50 * costs.page;
    const before = minds.charged();
    const mission = await space.submit({
      tasks: tasks(200),
      limits,
      options: { ...noOptions, budget: money(budget), per_task: money(costs.share) },
    });
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_failed', end.event_type);
    assert.equal(end.payload.code, 'budget_exhausted');
    // What is charged only grows, so that an end within the budget says the same of every moment before it.
    const charged = minds.charged() - before;
    assert.ok(charged <= budget, `${charged} of ${budget} nano-dollars`);
    const done = ended(space, mission, 'task_completed');
    assert.ok(done >= 45 && done <= 50, `${done} tasks completed`);
    assert.ok(anthropic.maxInAir >= 15, `${anthropic.maxInAir} calls at once`);
    assert.equal(anthropic.inAir, 0);
    await checkMoney(space, mission, charged);
    t.diagnostic(`${done} tasks, ${charged} of ${budget} nano-dollars, ${anthropic.maxInAir} calls at once`);
  });

  await t.test('at the limit a person is asked: more, and then the cheaper model', async () => {
    const before = minds.charged();
    const budget = 4 * costs.share;
    const mission = await space.submit({
      tasks: tasks(30),
      options: {
        ...noOptions,
        budget: money(budget),
        per_task: money(costs.share),
        on_exhausted: 'ask',
      },
    });
    const first = await space.facts.review(mission);
    assert.equal(first.kind, 'budget');
    const done = ended(space, mission, 'task_completed');
    const spent = minds.charged() - before;
    assert.ok(spent <= budget);
    await answer(space, mission, first.review_id, 'approved');
    const second = await space.facts.review(mission);
    assert.notEqual(second.review_id, first.review_id);
    assert.ok(ended(space, mission, 'task_completed') > done, 'it went on');
    const twice = minds.charged() - before;
    assert.ok(twice > budget - costs.share && twice <= 2 * budget, 'twice the budget, no more');
    const free = ollama.calls.length;
    await answer(space, mission, second.review_id, 'cheaper');
    const end = await space.facts.end(mission);
    assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
    assert.equal(minds.charged() - before, twice, 'the rest cost nothing');
    assert.ok(ollama.calls.length > free);
    await checkMoney(space, mission, twice);
  });

  await t.test('at the limit the cheaper model takes over', async () => {
    const before = minds.charged();
    const free = ollama.calls.length;
    const budget = 4 * costs.share;
    const mission = await space.submit({
      tasks: tasks(30),
      options: {
        ...noOptions,
        budget: money(budget),
        per_task: money(costs.share),
        on_exhausted: 'cheaper',
      },
    });
    const end = await space.facts.end(mission);
    assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
    const charged = minds.charged() - before;
    assert.ok(charged > 0 && charged <= budget, `${charged} of ${budget} nano-dollars`);
    const paidFor = Math.round(charged / costs.page);
    assert.equal(ollama.calls.length - free, 30 - paidFor, 'each task by one of the two');
    await checkMoney(space, mission, charged);
  });

  await t.test('a call that could cost more than its share is not made', async () => {
    const before = anthropic.calls.length + anthropic.refused.length;
    const mission = await space.submit({
      tasks: tasks(1),
      options: { ...noOptions, per_task: money(1_000_000) },
    });
    await space.facts.end(mission);
    const failed = space.facts
      .of(mission)
      .find((fact): fact is EventOf<'task_failed'> => fact.event_type === 'task_failed');
    assert.equal(failed?.payload.code, 'budget_exceeded');
    assert.equal(anthropic.calls.length + anthropic.refused.length, before);
    assert.equal(nanosOf(failed.payload.usage.cost_usd), 0);
  });

  assert.ok(chargedBy(anthropic) > 0 && chargedBy(ollama) === 0);
  await verifyAll(space);
});
