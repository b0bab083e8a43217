import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EventOf } from '#schemas/types.gen.ts';
import { addSpent, spentNothing } from './costs.ts';
import { modelCallRow, nanos } from './model-calls.ts';
import { mergeRows } from './tables.ts';

const at = 1_790_000_000_000;
const envelope = {
  ...{ event_id: 'e', source_agent: 'a_role', target_agent: 'x', timestamp: at, version: 1 },
  ...{ correlation_id: 'm', causation_id: '', priority: 'normal' as const, sequence: 1, previous_hash: '' },
};
const place = { task_id: 't', attempt: 2, lease: 1, step: 3, agent: 'a' };

const begun = (provider = 'anthropic'): EventOf<'model_call_started'> => ({
  ...envelope,
  event_type: 'model_call_started',
  payload: {
    ...{ ...place, provider, model: 'x', request_hash: '', prompt_version: '', tools_hash: '' },
    ...{ temperature: null, answer: '', most: null },
  },
});

const ended = (cost_usd: number | null, provider = 'anthropic', ok = true): EventOf<'model_call_ended'> => ({
  ...{ ...envelope, timestamp: at + 50, sequence: 2 },
  event_type: 'model_call_ended',
  payload: {
    ...{
      ...place,
      provider,
      model: 'x',
      ok,
      text: '',
      tool_calls: [],
      stop_reason: 'end',
      code: '',
      message: '',
    },
    usage: {
      input_tokens: 7,
      output_tokens: 5,
      cache_read_tokens: 3,
      cache_write_tokens: 1,
      cost_usd,
      calls: 1,
    },
    duration_ms: 50,
  },
});

describe('the row of a model call', () => {
  it('says what it used, and when it ended', () => {
    const [first, last] = [modelCallRow(begun()), modelCallRow(ended(0.000_000_007))];
    assert.ok(first && last);
    assert.deepEqual([first.status, first.cost_nanos], ['started', null]);
    assert.deepEqual(mergeRows('model_calls', first, last), {
      ...{ mission_id: 'm', task_id: 't', attempt: 2, lease: 1, step: 3, sequence: 2 },
      ...{ role: 'a_role', provider: 'anthropic', model: 'x', status: 'ok', at: '2026-09-21T14:13:20.050Z' },
      ...{ input_tokens: 7, output_tokens: 5, cache_read_tokens: 3, cache_write_tokens: 1, cost_nanos: 7 },
    });
    assert.equal(mergeRows('model_calls', last, first), last);
  });

  it('has no cost where it is not known, and none to pay for a script', () => {
    assert.equal(modelCallRow(ended(null))?.cost_nanos, null);
    assert.equal(modelCallRow(ended(null, 'scripted'))?.cost_nanos, 0);
    assert.equal(modelCallRow(begun('scripted'))?.cost_nanos, 0);
  });

  it('counts for a failed call what that has cost', () => {
    const row = modelCallRow(ended(2, 'anthropic', false));
    assert.deepEqual([row?.status, row?.cost_nanos], ['failed', 2_000_000_000]);
  });

  it('is exact to the nano-dollar, and takes nonsense for unknown', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 51 }), (amount) =>
        assert.equal(nanos(amount / 1e9), amount),
      ),
    );
    for (const usd of [null, Number.NaN, Number.POSITIVE_INFINITY, -0.1, 1e290])
      assert.equal(nanos(usd), null);
  });
});

it('sums add up, however they are grouped', () => {
  const spent = fc.record({
    ...{ calls: fc.nat(), unpriced: fc.nat(), cost_nanos: fc.nat(), input_tokens: fc.nat() },
    ...{ output_tokens: fc.nat(), cache_read_tokens: fc.nat(), cache_write_tokens: fc.nat() },
  });
  fc.assert(
    fc.property(spent, spent, spent, (a, b, c) => {
      assert.deepEqual(addSpent(addSpent(a, b), c), addSpent(a, addSpent(b, c)));
      assert.deepEqual(addSpent(a, spentNothing), { ...a });
    }),
  );
});
