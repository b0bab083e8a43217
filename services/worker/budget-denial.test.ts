/** A model that would never stop calling, and what its attempt was given. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startFake } from './models/fakes/fake.ts';
import { openModels } from './models/open-models.ts';
import { Log, rehearse } from './rehearsal.ts';

const none = { tokens: -1, calls: -1, cost_nanos: -1, time_ms: -1 };
const unlimited = { maxSteps: 1_000 };

for (const [what, budget] of [
  ['calls', { ...none, calls: 3 }],
  ['tokens', { ...none, tokens: 60_000 }],
  ['money', { ...none, cost_nanos: 20_000_000 }],
] as const) {
  test(`a budget of ${what} ends the attempt before the call that could exceed it`, async (t) => {
    const workspaces = await mkdtemp(join(tmpdir(), 'ravenhelm-budget-'));
    const fake = await startFake('anthropic', {
      answer: () => ({ toolCalls: [{ name: 'workspace_list', input: {} }], text: 'word '.repeat(10) }),
    });
    t.after(async () => {
      await fake.close();
      await rm(workspaces, { recursive: true });
    });
    const env = { ANTHROPIC_API_KEY: 'fake-key', ANTHROPIC_BASE_URL: fake.url };
    const model = openModels(env, { info() {}, warn() {} }).model({
      provider: 'anthropic',
      name: 'claude-sonnet-5-5',
    });
    const run = rehearse({
      log: new Log(),
      lease: 1,
      workspaces,
      script: { calls: [], answer: '' },
      model,
      budget,
      ...unlimited,
    });
    await assert.rejects(run, { code: 'budget_exceeded' });
    const charged = fake.calls.flatMap(({ usage }) => (usage === null ? [] : [usage]));
    assert.ok(charged.length > 0 && charged.length < 40, `${charged.length} calls`);
    const tokens = charged.reduce((sum, { input, output }) => sum + input + output, 0);
    const cost = charged.reduce((sum, { input, output }) => sum + input * 2_500 + output * 10_000, 0);
    if (budget.calls >= 0) assert.equal(charged.length, budget.calls);
    if (budget.tokens >= 0) assert.ok(tokens <= budget.tokens, `${tokens} tokens`);
    if (budget.cost_nanos >= 0) assert.ok(cost <= budget.cost_nanos, `${cost} nano-dollars`);
  });
}
