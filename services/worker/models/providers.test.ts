/** Each provider, streamed and not: what goes over the wire, and what comes of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { costOf, factsOf } from './capabilities.ts';
import { type FakeAnswer, type Fault, startFake } from './fakes/fake.ts';
import type { Model, ModelAnswer, Turn } from './model.ts';
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
  providers,
  stream,
  tool,
  user,
} from './on-fakes.ts';
import type { GateSettings } from './provider-gate.ts';
import { answerSchema, parseAnswer } from './structured.ts';

for (const provider of providers) {
  for (const streamed of [true, false]) {
    describe(`${provider}, ${streamed ? 'streamed' : 'whole'}`, () => {
      const model = (gate?: Partial<GateSettings>): Model =>
        open(gate, stream(streamed)).model({ provider, name: names[provider] });

      test('text, with the tokens and the cost of what was used', async () => {
        answering(() => ({ text: 'The answer, with umlauts: äöü — and 🐦.' }));
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
        const { cost_usd, calls, ...tokens } = got.usage;
        assert.equal(calls, 1);
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
        answering(() => script[round++] ?? {});
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
          results.map(({ text }) => text.replaceAll(/⟦data \w+ from [^⟧]*⟧\n|\n⟦end \w+⟧/g, '')),
          ['output 0', 'The call failed (not_found).\nno b\nhalf', 'output 2', 'output 0'],
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
        answering(({ wantsJson }) => {
          assert.ok(wantsJson && 'properties' in wantsJson, 'it was asked for natively');
          return { text: '{"tasks":[{"id":"a"}]}' };
        });
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
        answering(() => ({ text: 'word '.repeat(100) }));
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
          answering(() => ({ text: 'a longer answer of a few words' }));
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
          answering(() => ({ text: 'a longer answer of a few words' }));
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
