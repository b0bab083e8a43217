import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type SpentOn, spentNothing } from '#projector/costs.ts';
import { costLines } from './commands/cost.ts';
import { costText, dollars } from './money.ts';
import { sinceTime } from './since.ts';

describe('money', () => {
  it('has as many decimals as it takes, and never fewer than two', () => {
    const shown = [0, 7, 12_500_000, 100_000_000, 1_230_000_000, 12_000_000_000, 1_000_000_001].map(dollars);
    assert.deepEqual(shown, [
      ...['$0.00', '$0.000000007', '$0.0125', '$0.10', '$1.23', '$12.00', '$1.000000001'],
    ]);
  });

  it('is exact', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (nanos) => {
        const [, whole = '', part = ''] = /^\$(\d+)\.(\d{2,9})$/.exec(dollars(nanos)) ?? [];
        assert.equal(BigInt(whole + part.padEnd(9, '0')), BigInt(nanos));
      }),
    );
  });

  it('shows what is not known as unknown', () => {
    const of = (calls: number, unpriced: number, cost_nanos: number) =>
      costText({ calls, unpriced, cost_nanos });
    assert.equal(of(5, 0, 1_230_000_000), '$1.23');
    assert.equal(of(5, 4, 1_230_000_000), '≥ $1.23 + 4 calls of unknown price');
    assert.equal(of(5, 1, 0), '≥ $0.00 + 1 call of unknown price');
    assert.equal(of(5, 5, 0), '5 calls of unknown price');
  });
});

describe('costs', () => {
  it('are a table with a total, in which unknown stays unknown', () => {
    const row = (name: string, more: Partial<SpentOn>): SpentOn => ({ ...spentNothing, name, ...more });
    const rows = [
      row('plan', { calls: 2, cost_nanos: 30_000_000, input_tokens: 1200, output_tokens: 40 }),
      row('build', { calls: 3, unpriced: 3, input_tokens: 9, output_tokens: 9, cache_read_tokens: 7 }),
    ];
    const total = { ...spentNothing, calls: 5, unpriced: 3, cost_nanos: 30_000_000, input_tokens: 1209 };
    assert.deepEqual(costLines('task', rows, total), [
      'TASK   CALLS  INPUT  OUTPUT  CACHE READ  CACHE WRITE  COST',
      'plan       2   1200      40           0            0  $0.03',
      'build      3      9       9           7            0  3 calls of unknown price',
      'total      5   1209       0           0            0  ≥ $0.03 + 3 calls of unknown price',
    ]);
  });
});

describe('since', () => {
  const now = Date.UTC(2026, 10, 30, 12);

  it('is so long ago, or a time', () => {
    const at = (text: string) => sinceTime(text, now).toISOString();
    assert.equal(at('90m'), '2026-11-30T10:30:00.000Z');
    assert.equal(at('24h'), '2026-11-29T12:00:00.000Z');
    assert.equal(at('7d'), '2026-11-23T12:00:00.000Z');
    assert.equal(at('2026-11-02'), '2026-11-02T00:00:00.000Z');
    assert.equal(at('2026-11-02T08:30+02:00'), '2026-11-02T06:30:00.000Z');
  });

  it('says what it expects instead of nonsense', () => {
    for (const text of ['', 'yesterday', '7', '7w', '-3d', '2026-13-40', '1', '2026']) {
      assert.throws(
        () => sinceTime(text, now),
        { code: 'invalid_arguments', message: /^--since: found "/ },
        text,
      );
    }
  });
});
