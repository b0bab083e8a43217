/** What a call may use up, and that no attempt, however it goes, uses up more than it was given. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#chassis/failures.ts';
import { addUsage, nanosOf, noUsage, tokensOf, usdOf } from '#schemas/usage.ts';
import { nextCall, usageOfLost } from './allotment.ts';
import { Conversation } from './conversation.ts';
import { foldJournal } from './journal-fold.ts';
import type { Model, ModelAnswer, ModelRequest, Price } from './models/model.ts';
import { resultText } from './models/provider.ts';
import { ProviderFailure } from './models/provider-failure.ts';
import { scriptedModel } from './models/scripted.ts';
import { decodeStep, Log, ownerOf, type Rehearsal, rehearsalCodec, rehearse } from './rehearsal.ts';

let workspaces: string;
before(async () => {
  workspaces = await mkdtemp(join(tmpdir(), 'ravenhelm-allotment-'));
});
after(() => rm(workspaces, { recursive: true }));

const script = { calls: [], answer: '' };
const unlimited = { tokens: -1, calls: -1, cost_nanos: -1, time_ms: -1 };
const price: Price = { input: 2, output: 10, cache_read: 0.2, cache_write: 2.5 };

const limit = (max: number) => fc.oneof(fc.constant(-1), fc.nat(max));
const budgets = fc.record({
  tokens: limit(200_000),
  calls: limit(20),
  cost_nanos: limit(2_000_000_000),
  time_ms: fc.constant(-1),
});
const usd = fc.nat(100_000).map((thousandths) => thousandths / 1_000);
const prices = fc.record({ input: usd, output: usd, cache_read: usd, cache_write: usd });
const share = fc.double({ min: 0, max: 1, noNaN: true });

describe('the allotment of a call', () => {
  test('property: a provider that obeys the limits it was told never takes an attempt over its budget', () => {
    const calls = fc.array(
      fc.record({
        bytes: fc.nat(20_000),
        read: share,
        cached: share,
        written: share,
        wanted: fc.integer({ min: 1, max: 10_000 }),
        said: share,
        lost: fc.boolean(),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(budgets, prices, calls, (budget, price, made) => {
        let used = noUsage;
        for (const { bytes, read, cached, written, wanted, said, lost } of made) {
          try {
            const request = { inputTokens: bytes, maxOutputTokens: wanted };
            const { maxOutputTokens, most } = nextCall(budget, used, request, price);
            assert.ok(most !== null && maxOutputTokens <= wanted);
            const input = Math.floor(bytes * read);
            const cache_read_tokens = Math.floor(input * cached);
            const cache_write_tokens = Math.floor((input - cache_read_tokens) * written);
            const input_tokens = input - cache_read_tokens - cache_write_tokens;
            const output_tokens = Math.floor(maxOutputTokens * said);
            const nanos =
              input_tokens * Math.round(price.input * 1_000) +
              cache_read_tokens * Math.round(price.cache_read * 1_000) +
              cache_write_tokens * Math.round(price.cache_write * 1_000) +
              output_tokens * Math.round(price.output * 1_000);
            const tokens = { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens };
            const charged = { ...tokens, cost_usd: usdOf(nanos), calls: 1 };
            assert.ok(tokensOf(charged) <= most.tokens && nanos <= most.cost_nanos, 'most is the most');
            used = addUsage(used, lost ? usageOfLost(most) : charged);
          } catch (error) {
            if (!(error instanceof Failure)) throw error;
            assert.equal(error.code, 'budget_exceeded');
          }
        }
        if (budget.calls >= 0) assert.ok(used.calls <= budget.calls);
        if (budget.tokens >= 0) assert.ok(tokensOf(used) <= budget.tokens);
        if (budget.cost_nanos >= 0) assert.ok(nanosOf(used.cost_usd ?? Number.NaN) <= budget.cost_nanos);
      }),
      { numRuns: 300 },
    );
  });

  const request = { inputTokens: 1_000, maxOutputTokens: 500 };
  test('without a budget nothing is cut, and nothing is booked', () => {
    assert.deepEqual(nextCall(null, noUsage, request, null), { maxOutputTokens: 500, most: null });
  });

  test('the answer is cut to what is left, down to where it would be of no use', () => {
    const of = (tokens: number) => nextCall({ ...unlimited, tokens }, noUsage, request, price);
    assert.deepEqual(
      [of(1_500), of(1_100), of(1_016)].map((each) => each.maxOutputTokens),
      [500, 100, 16],
    );
    assert.throws(() => of(1_015), { code: 'budget_exceeded', message: /reads up to 1000.*at most 1015/ });
    const nanos = (cost_nanos: number) => nextCall({ ...unlimited, cost_nanos }, noUsage, request, price);
    // A thousand tokens at $2.5 a million, and sixteen at $10.
    assert.equal(nanos(2_660_000).maxOutputTokens, 16);
    assert.throws(() => nanos(2_659_999), { code: 'budget_exceeded' });
    const calls = { ...unlimited, calls: 2 };
    assert.throws(() => nextCall(calls, { ...noUsage, calls: 2 }, request, price), {
      code: 'budget_exceeded',
    });
  });

  test('where money is limited, a price that nobody knows stops the call; where it is not, the cost is unknown', () => {
    const money = { ...unlimited, cost_nanos: 1e12 };
    assert.throws(() => nextCall(money, noUsage, request, null), { code: 'price_unknown' });
    const unknown = { ...noUsage, cost_usd: null };
    assert.throws(() => nextCall(money, unknown, request, price), { code: 'price_unknown' });
    const { most } = nextCall({ ...unlimited, calls: 5 }, noUsage, request, null);
    assert.ok(most);
    assert.deepEqual([most.cost_nanos, usageOfLost(most).cost_usd, usageOfLost(most).calls], [-1, null, 1]);
  });

  test('property: no text of a tool is longer for the model than what the conversation reckons with', () => {
    const odd = fc.constantFrom(
      '\u00ad',
      '\u0085',
      '\u{e0041}',
      '⟦',
      '<<SYS>>',
      '[INST]',
      '\u001b',
      '"',
      '\ud800',
    );
    const text = fc
      .array(fc.oneof(odd, fc.string({ maxLength: 5 })), { maxLength: 30 })
      .map((all) => all.join(''));
    fc.assert(
      fc.property(text, text, fc.boolean(), (output, message, ok) => {
        const conversation = new Conversation({ text: '', hash: '' }, { hash: '', text: '' });
        const before = conversation.mostTokens('p/m');
        const turn = { role: 'tool', call_id: 'c', tool: 't', ok, output, code: 'x', message } as const;
        conversation.say(turn);
        const reckoned = conversation.mostTokens('p/m') - before;
        assert.ok(reckoned >= Buffer.byteLength(resultText(turn)), `${reckoned}`);
      }),
    );
  });
});

/** Answers as it is told, and charges a token for each byte that it reads; it dies, or fails, when it is told. */
function greedy(asked: ModelRequest[], act: (call: number) => void = () => {}, paid = true): Model {
  return {
    ...scriptedModel(script),
    ...{ provider: 'p', model: 'm', paid, finite: false, price },
    call(request): Promise<ModelAnswer> {
      asked.push(request);
      act(asked.length);
      const calls = [{ id: `c${asked.length}`, tool: 'workspace_list', arguments: '{}' }];
      const { system, messages, tools, answer, maxOutputTokens } = request;
      const input = Buffer.byteLength(JSON.stringify([system, messages, tools, answer]));
      const usage = { ...noUsage, input_tokens: input, output_tokens: maxOutputTokens, calls: 1 };
      const cost_usd = usdOf(input * 2_000 + maxOutputTokens * 10_000);
      return Promise.resolve({
        ...{ text: '', tool_calls: calls, stop_reason: 'tool_use' as const },
        usage: { ...usage, cost_usd },
      });
    },
  };
}

const folded = (log: Log, lease: number) =>
  foldJournal(
    log.records.map(({ value }) => decodeStep(rehearsalCodec(), value)),
    ownerOf(lease),
  );

const mostOf = (log: Log) =>
  log.records
    .map(({ value }) => decodeStep(rehearsalCodec(), value).event)
    .flatMap((each) => (each.event_type === 'model_call_started' ? [each.payload.most] : []));

describe('calls that nobody has heard of', () => {
  for (const paid of [true, false]) {
    test(`each is booked once at its most, however often the worker dies (${paid ? 'paid' : 'free'} model)`, async () => {
      const log = new Log();
      const budget = { ...unlimited, calls: 4 };
      const asked: ModelRequest[] = [];
      const run = async (lease: number) => {
        const worker = new AbortController();
        const model: Model = {
          ...greedy(asked, () => {}, paid),
          call: async (request) => {
            asked.push(request);
            worker.abort(new Error('killed'));
            throw worker.signal.reason;
          },
        };
        await rehearse({ log, lease, workspaces, script, model, budget, signal: worker.signal });
      };
      for (const lease of [1, 2, 3, 4]) {
        await assert.rejects(run(lease), { message: 'killed' });
        assert.equal(folded(log, lease).lost.length, lease);
      }
      assert.deepEqual(folded(log, 4).lost, mostOf(log));
      await assert.rejects(run(5), { code: 'budget_exceeded', message: /4 calls were made/ });
      assert.equal(asked.length, 4);
    });
  }

  test('a failed call that may have been paid for is booked whole, and again by no resume', async () => {
    for (const maybePaid of [true, false]) {
      const log = new Log();
      const asked: ModelRequest[] = [];
      const fails = (call: number) => {
        if (call === 2) throw new ProviderFailure('stream_broken', 'broke off', { maybePaid });
      };
      const model = greedy(asked, fails);
      const budget = { ...unlimited, tokens: 1_000_000 };
      const run = (lease: number) => rehearse({ log, lease, workspaces, script, model, budget });
      await assert.rejects(run(1), { code: 'stream_broken' });
      await new Promise(setImmediate);
      const ended = [...folded(log, 1).outcomes.values()].flatMap((each) =>
        each.kind === 'model' ? [each.ended] : [],
      );
      const most = mostOf(log)[1];
      assert.ok(most);
      assert.deepEqual(ended[1]?.usage, maybePaid ? usageOfLost(most) : noUsage);
      assert.equal(ended[1]?.code, 'stream_broken');
      await assert.rejects(run(2), { code: 'stream_broken' });
      assert.deepEqual([asked.length, folded(log, 2).lost], [2, []]);
    }
  });

  test('property: with deaths and failures anywhere, the sum of all that is charged stays within the budget', async () => {
    const money = fc.integer({ min: 0, max: 600_000_000 });
    const fates = fc.array(fc.constantFrom('well', 'dies', 'well'), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(money, fates, async (cost_nanos, lives) => {
        const log = new Log();
        let charged = 0;
        const asked: ModelRequest[] = [];
        for (let lease = 1; lease <= 14; lease++) {
          const worker = new AbortController();
          const inner = greedy(asked);
          const model: Model = {
            ...inner,
            async call(request, signal) {
              const answer = await inner.call(request, signal);
              charged += nanosOf(answer.usage.cost_usd ?? Number.NaN);
              if (lives[asked.length - 1] === 'dies') {
                worker.abort(new Error('killed'));
                throw worker.signal.reason;
              }
              return answer;
            },
          };
          const parts: Rehearsal = { log, lease, workspaces, script, model, maxSteps: 40 };
          const run = rehearse({ ...parts, budget: { ...unlimited, cost_nanos }, signal: worker.signal });
          const end: unknown = await run.catch((error: unknown) => error);
          if (end instanceof Failure) {
            assert.ok(['budget_exceeded', 'step_limit'].includes(end.code), end.message);
            break;
          }
        }
        assert.ok(charged <= cost_nanos, `${charged} of ${cost_nanos}`);
      }),
      { numRuns: 15 },
    );
  });
});
