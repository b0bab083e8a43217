import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Failure, type FailureCode } from '#chassis/failures.ts';
import { factsOf } from './capabilities.ts';
import { chainOf } from './fallback.ts';
import { type Model, type ModelRequest, noUsage } from './model.ts';

const never = new AbortController().signal;
const request: ModelRequest = {
  system: '',
  messages: [{ role: 'user', text: 'Hi.' }],
  tools: [],
  answer: null,
  temperature: null,
  maxOutputTokens: 10,
  payOnce: false,
};
const tools = [{ name: 'list', description: '', parameters: { type: 'object' } }];

/** A model that answers with its name, or fails with a code. */
function model(name: string, fails: FailureCode | null = null, changes: Partial<Model> = {}) {
  const made = { calls: 0 };
  const it: Model = {
    provider: 'p',
    model: name,
    paid: false,
    finite: false,
    capabilities: factsOf('ollama', 'llama3.1').capabilities,
    price: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
    call() {
      made.calls++;
      if (fails !== null) return Promise.reject(new Failure(fails, `p/${name}: ${fails}`));
      return Promise.resolve({ text: name, tool_calls: [], stop_reason: 'end', usage: noUsage });
    },
    ...changes,
  };
  return { it, made };
}

const warnings: string[] = [];
const log = { warn: (_: unknown, said?: string) => void warnings.push(said ?? '') };

describe('a chain of models', () => {
  test('the first answers, and nobody else is asked', async () => {
    const [a, b] = [model('a'), model('b')];
    const answer = await chainOf([a.it, b.it], [], log).call(request, never);
    assert.equal(answer.text, 'a');
    assert.equal(answer.by, undefined);
    assert.equal(b.made.calls, 0);
  });

  for (const code of [
    'model_failed',
    'model_overloaded',
    'rate_limited',
    'model_timeout',
    'stream_broken',
  ] as const) {
    test(`${code}: the next answers, and says who it is`, async () => {
      const [a, b, c] = [model('a', code), model('b', code), model('c')];
      warnings.length = 0;
      const answer = await chainOf([a.it, b.it, c.it], [], log).call(request, never);
      assert.deepEqual([answer.text, answer.by], ['c', { provider: 'p', model: 'c' }]);
      assert.deepEqual(warnings, [
        'p/a is out: the next of the chain is asked',
        'p/b is out: the next of the chain is asked',
      ]);
    });
  }

  for (const code of [
    'model_refused',
    'context_too_long',
    'request_refused',
    'model_unknown',
    'key_refused',
    'key_missing',
    'invalid_output',
  ] as const) {
    test(`${code} does not fall through`, async () => {
      const [a, b] = [model('a', code), model('b')];
      await assert.rejects(chainOf([a.it, b.it], [], log).call(request, never), { code });
      assert.equal(b.made.calls, 0);
    });
  }

  test('one that cannot serve the request is passed over', async () => {
    const plain = { ...factsOf('ollama', 'gemma2').capabilities };
    const [a, b] = [model('a', null, { capabilities: plain }), model('b')];
    const chain = chainOf([a.it, b.it], [], log);
    assert.ok(chain.capabilities.tools);
    assert.equal((await chain.call({ ...request, tools }, never)).by?.model, 'b');
    assert.equal((await chain.call(request, never)).text, 'a');
    assert.equal(a.made.calls, 1);
    const alone = chainOf([a.it], ['q/x: no key'], log).call({ ...request, tools }, never);
    await assert.rejects(alone, { code: 'model_incapable', message: /q\/x: no key; p\/a: takes no tools/ });
  });

  test('when all are out, the failure is the first one and the message has all', async () => {
    const [a, b] = [model('a', 'rate_limited'), model('b', 'model_failed')];
    await assert.rejects(chainOf([a.it, b.it], ['q/x: Q_API_KEY is not set'], log).call(request, never), {
      code: 'rate_limited',
      message:
        'no model of the chain answered: q/x: Q_API_KEY is not set; p/a: rate_limited; p/b: model_failed',
    });
  });

  test('an abort is not an outage', async () => {
    const control = new AbortController();
    const reason = new Error('enough');
    const a = model('a', null, {
      call: () => {
        control.abort(reason);
        return Promise.reject(reason);
      },
    });
    const b = model('b');
    await assert.rejects(
      chainOf([a.it, b.it], [], log).call(request, control.signal),
      (error) => error === reason,
    );
    assert.equal(b.made.calls, 0);
  });

  test('it is paid if any is, and its price is the dearest or unknown', () => {
    const price = { input: 2, output: 1, cache_read: 0, cache_write: 0 };
    const [free, dear] = [model('a').it, model('b', null, { paid: true, price }).it];
    const unknown = model('c', null, { paid: true, price: null }).it;
    assert.deepEqual(chainOf([free, dear], [], log).price, price);
    assert.equal(chainOf([free, dear], [], log).paid, true);
    assert.equal(chainOf([free], [], log).paid, false);
    assert.equal(chainOf([free, dear, unknown], [], log).price, null);
  });
});
