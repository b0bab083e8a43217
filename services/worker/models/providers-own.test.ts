/** What only one provider does, and what holds over several: cache, limit, breaker, chain. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import { loadRoles } from '#roles/load.ts';
import { chooseModel } from './choose.ts';
import { startFake } from './fakes/fake.ts';
import { chainOf } from './fallback.ts';
import type { Model, Turn } from './model.ts';
import {
  answering,
  asked,
  fakes,
  KEY,
  lastCall,
  names,
  never,
  once,
  open,
  stream,
  tool,
  user,
} from './on-fakes.ts';
import type { Models } from './open-models.ts';
import { mayHaveBeenPaid } from './provider-failure.ts';
import { answerSchema } from './structured.ts';

test('Anthropic: tools, role prompt and conversation come from the cache the second time', async () => {
  const name = 'claude-sonnet-5-5';
  const model = open().model({ provider: 'anthropic', name });
  const tools = [{ ...tool('list'), description: 'Lists. '.repeat(800) }];
  const system = 'You are careful. '.repeat(400);
  const messages: Turn[] = [user('Begin.')];
  answering(() => ({ toolCalls: [{ name: 'list', input: {} }] }));
  const first = await model.call(asked({ system, tools, messages }), never);
  assert.ok(first.usage.cache_write_tokens > 1000);
  assert.equal(first.usage.cache_read_tokens, 0);
  const [call] = first.tool_calls;
  assert.ok(call);
  messages.push(
    { role: 'assistant', text: '', tool_calls: first.tool_calls },
    { role: 'tool', call_id: call.id, tool: 'list', ok: true, output: 'a\nb', code: '', message: '' },
  );
  const second = await model.call(asked({ system, tools, messages }), never);
  assert.equal(second.usage.cache_read_tokens, first.usage.cache_write_tokens);
  assert.ok(second.usage.cache_write_tokens > 0 && second.usage.cache_write_tokens < 100);
  // Another task of the same role has the same tools and prompt.
  const other = await model.call(asked({ system, tools, messages: [user('Something else.')] }), never);
  assert.ok(other.usage.cache_read_tokens > 1000);
  // And of another role with the same tools, the tools.
  const role = await model.call(asked({ tools, messages: [user('Begin.')] }), never);
  assert.ok(
    role.usage.cache_read_tokens > 1000 && role.usage.cache_read_tokens < other.usage.cache_read_tokens,
  );
  assert.ok((second.usage.cost_usd ?? 1) < (first.usage.cost_usd ?? 0) / 5, 'and it costs less');
});

test('the limit holds over all tasks and models of a provider', async () => {
  const fake = await startFake('openai', {
    key: KEY,
    answer: async (_, signal) => {
      await sleep(3, undefined, { signal });
      return { text: 'x' };
    },
  });
  try {
    const env = { OPENAI_BASE_URL: fake.url, RAVENHELM_MODEL_CONCURRENCY: '3' };
    const models = open({}, env);
    const calls = Array.from({ length: 24 }, (_, index) =>
      models.model({ provider: 'openai', name: index % 2 ? 'gpt-4.1' : 'gpt-4o' }).call(asked(), never),
    );
    assert.equal((await Promise.all(calls)).length, 24);
    assert.equal(fake.maxInAir, 3);
  } finally {
    await fake.close();
  }
});

test('the breaker keeps calls from a provider that is out, and lets one through after a while', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const models = open({ tries: 1, outagesToOpen: 2, openMs: 30_000 });
  const model = models.model({ provider: 'anthropic', name: names.anthropic });
  const out = { fault: 'status', status: 529 } as const;
  fakes.anthropic.fail(out, out);
  for (let tries = 0; tries < 2; tries++)
    await assert.rejects(model.call(asked(), never), { code: 'model_overloaded' });
  const { length } = fakes.anthropic.calls;
  await assert.rejects(model.call(asked(), never), { code: 'model_failed', message: /not called/ });
  assert.equal(fakes.anthropic.calls.length, length);
  t.mock.timers.tick(30_000);
  assert.equal((await model.call(asked(), never)).text, 'hello');
  assert.equal((await model.call(asked(), never)).text, 'hello');
});

test('Ollama: the context grows with the conversation, and nothing is dropped from it', async () => {
  const model = open().model({ provider: 'ollama', name: 'llama3.1' });
  const contexts: unknown[] = [];
  for (const words of [10, 10_000, 20_000]) {
    await model.call(asked({ messages: [user('first'), user('word '.repeat(words))] }), never);
    const call = lastCall(fakes.ollama);
    assert.equal(call.dropped, 0);
    const { options } = call.request.body as { options: { num_ctx: number } };
    contexts.push(options.num_ctx);
  }
  assert.deepEqual(contexts, [8192, 32_768, 65_536]);
  const long = model.call(asked({ messages: [user('word '.repeat(120_000))] }), never);
  await assert.rejects(long, { code: 'context_too_long' });
});

test('Ollama: a model that is bound to JSON would call no tools, so with tools it is told instead', async () => {
  answering(({ wantsJson, system }) => {
    assert.equal(wantsJson, null);
    assert.match(system, /valid by this JSON schema/);
    return { toolCalls: [{ name: 'list' }] };
  });
  const model = open().model({ provider: 'ollama', name: 'llama3.1' });
  const schema = answerSchema('x', z.strictObject({ a: z.string() }));
  const got = await model.call(asked({ tools: [tool('list')], answer: schema }), never);
  assert.deepEqual(got.tool_calls, [{ id: 'call_1_1', tool: 'list', arguments: '{}' }]);
});

test('a model that takes no tools is refused by us where it is known, else by Ollama', async () => {
  const models = open();
  const request = asked({ tools: [tool('list')] });
  const { length } = fakes.ollama.refused;
  const known = models.model({ provider: 'ollama', name: 'gemma2' }).call(request, never);
  await assert.rejects(known, { code: 'model_incapable' });
  assert.equal(fakes.ollama.refused.length, length);
});

test('OpenAI: models that think take tools only when they are told not to', async () => {
  answering(({ tools }) => (tools.length > 0 ? { toolCalls: [{ name: 'list' }] } : { text: 'x' }));
  for (const name of ['gpt-6-luna', 'gpt-5.6-terra', 'gpt-5.4-mini', 'gpt-5-mini', 'gpt-4.1']) {
    const got = await open()
      .model({ provider: 'openai', name })
      .call(asked({ tools: [tool('list')] }), never);
    assert.equal(got.stop_reason, 'tool_use', name);
  }
  const sol = open().model({ provider: 'openai', name: 'gpt-6.1-sol' });
  await assert.rejects(sol.call(asked({ tools: [tool('list')] }), never), { code: 'model_incapable' });
  assert.equal((await sol.call(asked(), never)).text, 'x');
});

for (const on of [true, false]) {
  test(`OpenAI: what the cache gave is not counted twice, ${on ? 'streamed' : 'whole'}`, async () => {
    answering(() => ({ text: 'x', usage: { input: 5000, cacheRead: 3000, output: 7 } }));
    const model = open({}, stream(on)).model({ provider: 'openai', name: 'gpt-5.6-terra' });
    assert.deepEqual((await model.call(asked(), never)).usage, {
      input_tokens: 2000,
      output_tokens: 7,
      cache_read_tokens: 3000,
      cache_write_tokens: 0,
      cost_usd: 0.004684,
      calls: 1,
    });
  });
}

test('OpenAI: the temperature reaches the models that take one', async () => {
  await open().model({ provider: 'openai', name: 'gpt-4.1' }).call(asked(), never);
  assert.equal(lastCall(fakes.openai).request.temperature, 0.4);
});

test('the orchestrator’s chain: Claude, then OpenAI, then Ollama, each asked when the one before is out', async () => {
  const role = loadRoles().get('orchestrator');
  assert.ok(role);
  const chain = (models: Models): Model => chooseModel({ script: null, role, override: '' }, models);
  const by: unknown[] = [];
  const out = { fault: 'status', status: 529 } as const;
  const openai = await startFake('openai', {
    key: KEY,
    answer: () => ({ text: 'x' }),
    models: { 'gpt-6-sol': { thinking: 'adaptive', toolsWithoutReasoning: 'said' } },
  });
  try {
    const models = open({ ...once }, { OPENAI_BASE_URL: openai.url });
    by.push((await chain(models).call(asked(), never)).by);
    fakes.anthropic.fail(out);
    by.push((await chain(models).call(asked(), never)).by);
    fakes.anthropic.fail(out);
    openai.fail({ fault: 'reset' });
    const last = await chain(models).call(asked(), never);
    by.push(last.by);
    assert.equal(last.usage.cost_usd, 0);
    fakes.anthropic.fail({ fault: 'context_too_long' });
    await assert.rejects(chain(models).call(asked(), never), { code: 'context_too_long' });
  } finally {
    await openai.close();
  }
  assert.deepEqual(by, [
    undefined,
    { provider: 'openai', model: 'gpt-6-sol' },
    { provider: 'ollama', model: 'llama3.1' },
  ]);
});

test('where a call may be paid for once at the most, one that broke off is neither tried again nor asked of another', async () => {
  answering(() => ({ text: 'a long answer that comes in pieces and ends with its end' }));
  const models = open({}, stream(true));
  const chain = chainOf(
    [
      models.model({ provider: 'anthropic', name: 'claude-haiku-5-5' }),
      models.model({ provider: 'ollama', name: 'llama3.1' }),
    ],
    [],
    { warn() {} },
  );
  const calls = (provider: 'anthropic' | 'ollama') => fakes[provider].calls.length;
  const before = [calls('anthropic'), calls('ollama')];
  fakes.anthropic.fail({ fault: 'break', after: 3 });
  await assert.rejects(chain.call(asked({ payOnce: true }), never), (error) => {
    assert.ok(mayHaveBeenPaid(error));
    return error instanceof Failure && error.code === 'stream_broken';
  });
  assert.deepEqual([calls('anthropic'), calls('ollama')], [(before[0] ?? 0) + 1, before[1]]);
  fakes.anthropic.fail({ fault: 'break', after: 3 });
  assert.match((await chain.call(asked(), never)).text, /its end$/);
  assert.equal(calls('anthropic'), (before[0] ?? 0) + 3);
});
