import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nanosOf, usdOf } from '#schemas/usage.ts';
import { costOf, dearest, factsOf, type ProviderName, priceFile, type Tokens } from './capabilities.ts';
import { addUsage, noUsage } from './model.ts';

const count = fc.nat(2_000_000);
const tokens = fc.record({
  input_tokens: count,
  output_tokens: count,
  cache_read_tokens: count,
  cache_write_tokens: count,
});
const sonnet = factsOf('anthropic', 'claude-sonnet-5-5').price;

const plus = (a: Tokens, b: Tokens): Tokens => ({
  input_tokens: a.input_tokens + b.input_tokens,
  output_tokens: a.output_tokens + b.output_tokens,
  cache_read_tokens: a.cache_read_tokens + b.cache_read_tokens,
  cache_write_tokens: a.cache_write_tokens + b.cache_write_tokens,
});

describe('prices', () => {
  test('the file is as it has to be, dated, and every price is a whole number of nano-dollars for a token', () => {
    const { as_of, providers } = priceFile();
    assert.match(as_of, /^\d{4}-\d{2}-\d{2}$/);
    for (const { price } of Object.values(providers).flat()) {
      if (price === null) continue;
      for (const usd of [price.input, price.output, price.cache_read, price.cache_write])
        assert.equal(usd * 1000, Math.round(usd * 1000));
    }
    assert.deepEqual(
      Object.values(providers).map((entries) => entries.at(-1)?.models),
      [['*'], ['*'], ['*']],
    );
  });

  test('no name is listed twice for a provider', () => {
    for (const entries of Object.values(priceFile().providers)) {
      const names = entries.flatMap(({ models }) => models);
      assert.equal(new Set(names).size, names.length);
    }
  });

  test('a cost is its tokens times the list price', () => {
    const usage = {
      input_tokens: 1_000_000,
      output_tokens: 100_000,
      cache_read_tokens: 10_000,
      cache_write_tokens: 1,
    };
    assert.equal(costOf(usage, sonnet), 2 + 1 + 0.001 + 0.0000025);
  });

  test('property: the sum of costs is the cost of sums, to the nano-dollar', () => {
    fc.assert(
      fc.property(fc.array(tokens, { maxLength: 50 }), (calls) => {
        const usages = calls.map((each) => ({ ...each, cost_usd: costOf(each, sonnet), calls: 1 }));
        const sum = usages.reduce(addUsage, noUsage);
        assert.equal(sum.cost_usd, costOf(calls.reduce(plus, noUsage), sonnet));
      }),
    );
  });

  test('property: nano-dollars survive the way through USD', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2e15 }), (nanos) => assert.equal(nanosOf(usdOf(nanos)), nanos)),
    );
  });

  test('a long prompt has the long price for the whole request, the cache counted in', () => {
    const haiku = factsOf('anthropic', 'claude-haiku-5-5').price;
    const short = {
      input_tokens: 50_000,
      output_tokens: 1000,
      cache_read_tokens: 50_000,
      cache_write_tokens: 0,
    };
    assert.equal(costOf(short, haiku), 0.005 + 0.0005 + 0.0005);
    assert.equal(
      costOf({ ...short, input_tokens: 50_001 }, haiku),
      usdOf(50_001 * 500 + 50_000 * 50 + 1000 * 2500),
    );
    assert.deepEqual(dearest([haiku, sonnet]), { input: 2, output: 10, cache_read: 0.1, cache_write: 2.5 });
    assert.deepEqual(dearest([haiku]), { input: 0.5, output: 2.5, cache_read: 0.05, cache_write: 0.625 });
  });

  for (const [provider, model, input] of [
    ['anthropic', 'claude-haiku-4-5-20251001', 1],
    ['openai', 'gpt-4.1-2025-04-14', 2],
    ['openai', 'gpt-4.1-mini', 0.4],
    ['ollama', 'llama3.1:8b', 0],
    ['ollama', 'never-heard-of', 0],
    // Not the price of a relative of its.
    ['anthropic', 'claude-sonnet-9', undefined],
    ['anthropic', 'claude-sonnet-5-5-turbo', undefined],
    ['openai', 'gpt-4.1-pro', undefined],
    ['openai', 'gpt-6-astra', undefined],
  ] as const) {
    test(`${provider}/${model} costs ${input ?? 'nobody knows how much'}`, () => {
      assert.equal(factsOf(provider, model).price?.input, input);
    });
  }

  test('an unknown price is an unknown cost, in a sum and in a chain as well', () => {
    const unknown = factsOf('anthropic', 'claude-sonnet-9').price;
    assert.equal(costOf(noUsage, unknown), null);
    assert.equal(dearest([sonnet, unknown]), null);
    assert.equal(addUsage({ ...noUsage, cost_usd: 1 }, { ...noUsage, cost_usd: null }).cost_usd, null);
  });

  test('a model that is not listed has careful limits', () => {
    for (const provider of ['anthropic', 'openai', 'ollama'] satisfies ProviderName[]) {
      const { capabilities } = factsOf(provider, 'never-heard-of');
      assert.ok(capabilities.contextTokens <= 200_000 && capabilities.maxOutputTokens <= 32_768);
    }
  });
});
