/** The real clients against fakes of the providers' HTTP APIs: what goes over the wire, and what comes of it. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Logger } from '#chassis/log.ts';
import { loadRoles } from '#roles/load.ts';
import { costOf, factsOf, type ProviderName } from './capabilities.ts';
import { chooseModel } from './choose.ts';
import { type Fake, type FakeAnswer, type FakeOptions, type Fault, startFake } from './fakes/fake.ts';
import type { Model, ModelAnswer, ModelRequest, Turn } from './model.ts';
import { type Models, openModels } from './open-models.ts';
import type { GateSettings } from './provider-gate.ts';
import { answerSchema, parseAnswer } from './structured.ts';

const names = { anthropic: 'claude-sonnet-5-5', openai: 'gpt-5.6-terra', ollama: 'llama3.1' } as const;
const providers = Object.keys(names) as ProviderName[];
const never = new AbortController().signal;
const log: Pick<Logger, 'info' | 'warn'> = { info() {}, warn() {} };
const KEY = 'sk-fake-0123456789abcdef';

let fakes: Readonly<Record<ProviderName, Fake>>;
/** What the models answer, for the test that runs. */
let answer: FakeOptions['answer'] = () => ({ text: 'hello' });

before(async () => {
  const start = (provider: ProviderName): Promise<Fake> =>
    startFake(provider, { key: KEY, answer: (request, signal) => answer(request, signal) });
  fakes = {
    anthropic: await start('anthropic'),
    openai: await start('openai'),
    ollama: await start('ollama'),
  };
});
after(() => Promise.all(Object.values(fakes).map((fake) => fake.close())));
afterEach(async () => {
  answer = () => ({ text: 'hello' });
  await sleep(1);
  for (const fake of Object.values(fakes))
    assert.equal(fake.inAir, 0, `${fake.provider}: nothing is left in the air`);
});

function open(gate: Partial<GateSettings> = {}, env: NodeJS.ProcessEnv = {}): Models {
  const given = {
    ANTHROPIC_API_KEY: KEY,
    ANTHROPIC_BASE_URL: fakes.anthropic.url,
    OPENAI_API_KEY: KEY,
    OPENAI_BASE_URL: fakes.openai.url,
    OLLAMA_HOST: fakes.ollama.url,
    ...env,
  };
  return openModels(given, log, { firstDelayMs: 1, longestDelayMs: 2, ...gate });
}

const stream = (on: boolean): NodeJS.ProcessEnv => ({ RAVENHELM_MODEL_STREAM: String(on) });
const once = { tries: 1, outagesToOpen: 1000 };
const tool = (name: string) => ({
  name,
  description: `The tool ${name}.`,
  parameters: { type: 'object', properties: { path: { type: 'string' } }, additionalProperties: false },
});
const user = (text: string): Turn => ({ role: 'user', text });
const asked = (changes: Partial<ModelRequest> = {}): ModelRequest => ({
  system: 'You are a test.',
  messages: [user('Hi.')],
  tools: [],
  answer: null,
  temperature: 0.4,
  maxOutputTokens: 1000,
  ...changes,
});
const lastCall = (fake: Fake) => {
  const call = fake.calls.at(-1);
  assert.ok(call);
  return call;
};

for (const provider of providers) {
  for (const streamed of [true, false]) {
    describe(`${provider}, ${streamed ? 'streamed' : 'whole'}`, () => {
      const model = (gate?: Partial<GateSettings>): Model =>
        open(gate, stream(streamed)).model({ provider, name: names[provider] });

      test('text, with the tokens and the cost of what was used', async () => {
        answer = () => ({ text: 'The answer, with umlauts: äöü — and 🐦.' });
        const pieces: string[] = [];
        const got = await model().call(asked(), never, (piece) => pieces.push(piece));
        assert.equal(got.text, 'The answer, with umlauts: äöü — and 🐦.');
        assert.equal(got.stop_reason, 'end');
        assert.deepEqual(got.tool_calls, []);
        assert.equal(pieces.join(''), got.text);
        if (streamed) assert.ok(pieces.length > 1, 'it came in pieces');
        const { request, usage } = lastCall(fakes[provider]);
        assert.equal(request.stream, streamed);
        assert.equal(request.system, 'You are a test.');
        assert.equal(request.maxTokens, 1000);
        assert.equal(request.temperature, provider === 'ollama' ? 0.4 : null);
        assert.ok(usage);
        const { cost_usd, ...tokens } = got.usage;
        assert.deepEqual(tokens, {
          input_tokens: usage.input - usage.cacheRead - usage.cacheWrite,
          output_tokens: usage.output,
          cache_read_tokens: usage.cacheRead,
          cache_write_tokens: usage.cacheWrite,
        });
        assert.equal(cost_usd, costOf(tokens, factsOf(provider, names[provider]).price));
        assert.equal(cost_usd === 0, provider === 'ollama');
      });

      test('tools through several rounds: order, ids, failures', async () => {
        const script: FakeAnswer[] = [
          {
            text: 'Let me see.',
            toolCalls: [
              { name: 'list', input: { path: '.' } },
              { name: 'read', input: { path: 'ä "b"' } },
              { name: 'list' },
            ],
          },
          { toolCalls: [{ name: 'read', input: { path: 'c' } }] },
          { text: 'Done.' },
        ];
        let round = 0;
        answer = () => script[round++] ?? {};
        const chat = model();
        const turns: Turn[] = [user('Go.')];
        const rounds: ModelAnswer[] = [];
        for (;;) {
          const got = await chat.call(asked({ messages: turns, tools: [tool('list'), tool('read')] }), never);
          rounds.push(got);
          if (got.stop_reason !== 'tool_use') break;
          turns.push({ role: 'assistant', text: got.text, tool_calls: got.tool_calls });
          for (const [index, { id, tool: name }] of got.tool_calls.entries()) {
            const result = { role: 'tool', call_id: id, tool: name } as const;
            if (index === 1)
              turns.push({ ...result, ok: false, output: 'half', code: 'not_found', message: 'no b' });
            else turns.push({ ...result, ok: true, output: `output ${index}`, code: '', message: '' });
          }
        }
        assert.equal(rounds.length, 3);
        assert.deepEqual(
          rounds[0]?.tool_calls.map((call) => [call.tool, call.arguments]),
          [
            ['list', '{"path":"."}'],
            ['read', '{"path":"ä \\"b\\""}'],
            ['list', '{}'],
          ],
        );
        const ids = rounds.flatMap((got) => got.tool_calls.map(({ id }) => id));
        assert.equal(new Set(ids).size, 4, 'ids are unique in the conversation');
        assert.equal(rounds[2]?.text, 'Done.');
        const results = lastCall(fakes[provider]).request.messages.filter((turn) => turn.role === 'tool');
        assert.deepEqual(
          results.map(({ text }) => text),
          ['output 0', 'The call failed (not_found): no b\nhalf', 'output 2', 'output 0'],
        );
        if (provider === 'anthropic')
          assert.deepEqual(
            results.map(({ isError }) => isError),
            [false, true, false, false],
          );
        if (provider !== 'ollama')
          assert.deepEqual(
            results.map(({ toolCallId }) => toolCallId),
            ids,
          );
      });

      for (const raw of ['', '   ', '{"path": ', 'rm -rf', '[1]', '"text"']) {
        // Ollama's server reads the arguments itself, so that none of these comes from it.
        if (provider === 'ollama') continue;
        test(`arguments ${JSON.stringify(raw)} are passed on, and may be sent back`, async () => {
          const chat = model();
          fakes[provider].fail({ fault: 'arguments', raw });
          const got = await chat.call(asked({ tools: [tool('list')] }), never);
          assert.equal(got.stop_reason, 'tool_use');
          const [call] = got.tool_calls;
          assert.ok(call);
          // A whole answer of Anthropic's holds no text of the arguments, only what became of it.
          if (streamed || provider === 'openai') assert.equal(call.arguments, raw.trim() === '' ? '{}' : raw);
          const said = { code: 'invalid_arguments', message: 'no', output: '' };
          const messages: Turn[] = [
            user('Go.'),
            { role: 'assistant', text: '', tool_calls: got.tool_calls },
            { role: 'tool', call_id: call.id, tool: 'list', ok: false, ...said },
          ];
          assert.equal((await chat.call(asked({ tools: [tool('list')], messages }), never)).text, 'hello');
        });
      }

      test('JSON of a schema', async () => {
        const Plan = z.strictObject({
          tasks: z
            .array(z.strictObject({ id: z.string().min(1) }))
            .min(1)
            .max(9),
        });
        answer = ({ wantsJson }) => {
          assert.ok(wantsJson && 'properties' in wantsJson, 'it was asked for natively');
          return { text: '{"tasks":[{"id":"a"}]}' };
        };
        const got = await model().call(asked({ answer: answerSchema('a plan', Plan) }), never);
        assert.deepEqual(parseAnswer(got.text, Plan), { ok: true, value: { tasks: [{ id: 'a' }] } });
      });

      test('JSON that is none is the caller’s to mend', async () => {
        fakes[provider].fail({ fault: 'not_json' });
        const schema = answerSchema('x', z.strictObject({ a: z.string().optional() }));
        const got = await model().call(asked({ answer: schema }), never);
        assert.equal(parseAnswer(got.text, z.looseObject({})).ok, false);
      });

      test('an answer that reaches its limit is cut off', async () => {
        answer = () => ({ text: 'word '.repeat(100) });
        const got = await model().call(asked({ maxOutputTokens: 10 }), never);
        assert.equal(got.stop_reason, 'length');
      });

      if (provider !== 'ollama') {
        test('a refusal is an answer, with its reason', async () => {
          fakes[provider].fail({ fault: 'refusal', text: 'I will not.' });
          const got = await model().call(asked(), never);
          assert.deepEqual([got.stop_reason, got.code], ['refused', 'model_refused']);
          assert.match(got.message ?? '', new RegExp(`^${provider}/${names[provider]} declined to answer: `));
        });
      }

      const faults: readonly [string, Fault, string][] = [
        ['429', { fault: 'status', status: 429 }, 'rate_limited'],
        ['503', { fault: 'status', status: 503 }, 'model_overloaded'],
        ['529', { fault: 'status', status: 529 }, 'model_overloaded'],
        ['500', { fault: 'status', status: 500 }, 'model_failed'],
        ['502 of a proxy', { fault: 'gateway' }, 'model_failed'],
        ['401', { fault: 'status', status: 401, message: `no such key: ${KEY}` }, 'key_refused'],
        ['403', { fault: 'status', status: 403 }, 'key_refused'],
        ['400', { fault: 'status', status: 400, message: 'bad request' }, 'request_refused'],
        ['no such model', { fault: 'model_not_found' }, 'model_unknown'],
        ['too long', { fault: 'context_too_long' }, 'context_too_long'],
        ['a reset', { fault: 'reset' }, 'model_failed'],
        ['a break', { fault: 'break', after: 2 }, 'stream_broken'],
        ['a break before the first event', { fault: 'break', after: 0 }, 'stream_broken'],
        ['an end that comes too early', { fault: 'truncated' }, 'stream_broken'],
      ];
      for (const [what, fault, code] of faults) {
        test(`${what}: ${code}`, async () => {
          answer = () => ({ text: 'a longer answer of a few words' });
          fakes[provider].fail(fault);
          await assert.rejects(model(once).call(asked(), never), (error) => {
            assert.ok(error instanceof Error && 'code' in error);
            assert.equal(error.code, code, error.message);
            assert.match(error.message, new RegExp(`^${provider}/${names[provider]}: `));
            if ('status' in fault && fault.fault === 'status')
              assert.match(error.message, RegExp(`HTTP ${fault.status}`));
            if (fault.fault === 'status' && provider !== 'ollama')
              assert.match(error.message, /request req_/);
            assert.ok(!error.message.includes(KEY) && !error.message.includes(KEY.slice(12)), error.message);
            return true;
          });
        });
      }

      if (streamed) {
        test('an error inside a stream is told, and tried again', async () => {
          answer = () => ({ text: 'a longer answer of a few words' });
          fakes[provider].fail({ fault: 'stream_error', after: 1 }, { fault: 'stream_error', after: 2 });
          await assert.rejects(model(once).call(asked(), never), (error) => {
            assert.ok(error instanceof Error && 'code' in error);
            assert.ok(['model_overloaded', 'model_failed'].includes(String(error.code)), String(error.code));
            return true;
          });
          assert.equal((await model().call(asked(), never)).text, 'a longer answer of a few words');
        });
      }

      test('nobody there: model_failed', async () => {
        const gone = await startFake(provider, { answer: () => ({}) });
        await gone.close();
        const env = {
          [provider === 'ollama' ? 'OLLAMA_HOST' : `${provider.toUpperCase()}_BASE_URL`]: gone.url,
        };
        const call = open(once, { ...stream(streamed), ...env })
          .model({ provider, name: names[provider] })
          .call(asked(), never);
        await assert.rejects(call, { code: 'model_failed', message: /not reached: .*ECONNREFUSED/ });
      });

      test('no answer in time: model_timeout; and given up: the reason', async () => {
        fakes[provider].fail({ fault: 'hang' }, { fault: 'hang' });
        await assert.rejects(model({ timeoutMs: 30 }).call(asked(), never), { code: 'model_timeout' });
        const control = new AbortController();
        const reason = new Error('enough');
        setTimeout(() => control.abort(reason), 20);
        await assert.rejects(model().call(asked(), control.signal), (error) => error === reason);
      });

      test('what goes wrong a few times is tried again, after the wait that was asked for', async () => {
        const busy = { fault: 'status', status: 429, retryAfter: { ms: 40 } } as const;
        fakes[provider].fail(busy, { fault: 'status', status: 529 }, { fault: 'truncated' });
        const refused = fakes[provider].refused.length;
        const began = performance.now();
        assert.equal((await model().call(asked(), never)).text, 'hello');
        assert.ok(performance.now() - began >= 39);
        assert.equal(fakes[provider].refused.length - refused, 2);
      });
    });
  }
}

test('Anthropic: tools, role prompt and conversation come from the cache the second time', async () => {
  const name = 'claude-sonnet-5-5';
  const model = open().model({ provider: 'anthropic', name });
  const tools = [{ ...tool('list'), description: 'Lists. '.repeat(800) }];
  const system = 'You are careful. '.repeat(400);
  const messages: Turn[] = [user('Begin.')];
  answer = () => ({ toolCalls: [{ name: 'list', input: {} }] });
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
  answer = ({ wantsJson, system }) => {
    assert.equal(wantsJson, null);
    assert.match(system, /valid by this JSON schema/);
    return { toolCalls: [{ name: 'list' }] };
  };
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
  answer = ({ tools }) => (tools.length > 0 ? { toolCalls: [{ name: 'list' }] } : { text: 'x' });
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
    answer = () => ({ text: 'x', usage: { input: 5000, cacheRead: 3000, output: 7 } });
    const model = open({}, stream(on)).model({ provider: 'openai', name: 'gpt-5.6-terra' });
    assert.deepEqual((await model.call(asked(), never)).usage, {
      input_tokens: 2000,
      output_tokens: 7,
      cache_read_tokens: 3000,
      cache_write_tokens: 0,
      cost_usd: 0.004684,
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
