import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { catalogue, isRetried } from '#chassis/failures.ts';
import type { MissionPolicy, RetryRule } from '#schemas/types.gen.ts';
import { defaultPolicy } from './policy.ts';
import { attemptRetry, checkRetries, delayAfterAttempt } from './retries.ts';

const rule = (fields: Partial<RetryRule>): RetryRule => ({
  ...{ code: '', role: '', max_attempts: 0, initial_ms: 0, max_ms: 0 },
  ...fields,
});
const policy = (...retries: RetryRule[]): MissionPolicy => ({
  ...defaultPolicy,
  options: { ...defaultPolicy.options, retries },
});
const code = fc.constantFrom(
  ...Object.entries(catalogue).flatMap(([name, { lands }]) => (lands === 'task' ? [name] : [])),
);
const role = fc.constantFrom('a', 'b');
const rules = fc.array(
  fc.record({
    code: fc.oneof(fc.constant(''), code),
    role: fc.oneof(fc.constant(''), role),
    max_attempts: fc.nat(20),
    initial_ms: fc.nat(100_000),
    max_ms: fc.constantFrom(0, 100_000, 200_000),
  }),
  { maxLength: 8 },
);

describe('rules of retries', () => {
  it('double the delay between attempts up to its limit', () => {
    const found = attemptRetry(defaultPolicy, 'timeout', 'a_role', 3);
    const delays = [1, 2, 3, 5, 6, 20].map((attempt) => delayAfterAttempt(found, attempt));
    assert.deepEqual(delays, [1000, 2000, 4000, 16_000, 30_000, 30_000]);
  });

  it('are not needed: without them all is as the policy and the catalogue say', () => {
    fc.assert(
      fc.property(
        code,
        role,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 30 }),
        (c, r, n, attempt) => {
          const found = attemptRetry(defaultPolicy, c, r, n);
          assert.equal(found.max_attempts, isRetried(c) ? n : 1);
          const { retry_initial_ms: first, retry_max_ms: most } = defaultPolicy;
          assert.equal(delayAfterAttempt(found, attempt), Math.min(most, first * 2 ** (attempt - 1)));
        },
      ),
    );
  });

  it('give delays that never shrink and never pass the longest, and attempts within bounds', () => {
    fc.assert(
      fc.property(rules, code, role, fc.integer({ min: 1, max: 20 }), (given, c, r, n) => {
        const found = attemptRetry(policy(...given), c, r, n);
        assert.ok(found.max_attempts >= 1 && found.max_attempts <= 20);
        let before = 0;
        for (let attempt = 1; attempt < 40; attempt++) {
          const delay = delayAfterAttempt(found, attempt);
          assert.ok(delay >= before && delay <= found.max_ms && Number.isSafeInteger(delay));
          before = delay;
        }
      }),
    );
  });

  it('never try again what nobody may do, whatever they say', () => {
    fc.assert(
      fc.property(rules, role, (given, r) => {
        for (const c of ['unauthorized', 'safety_violation', 'outcome_unknown']) {
          assert.equal(attemptRetry(policy(...given), c, r, 5).max_attempts, 1);
        }
      }),
    );
  });

  it('count by what they name: code and role, then the code, then the role, and the last of equals', () => {
    const given = [
      rule({ code: 'timeout', role: 'a', max_attempts: 7 }),
      rule({ code: 'timeout', max_attempts: 6 }),
      rule({ role: 'a', max_attempts: 5 }),
      rule({ max_attempts: 3 }),
      rule({ max_attempts: 4 }),
    ];
    const most = (c: string, r: string) => attemptRetry(policy(...given), c, r, 2).max_attempts;
    assert.deepEqual(
      [most('timeout', 'a'), most('timeout', 'b'), most('tool_failed', 'a'), most('tool_failed', 'b')],
      [7, 6, 5, 4],
    );
    assert.equal(most('invalid_output', 'a'), 1, 'a rule without a code is for what is retried anyway');
    const named = policy(rule({ code: 'invalid_output' }));
    assert.equal(attemptRetry(named, 'invalid_output', 'a', 3).max_attempts, 3);
  });

  for (const [given, message] of [
    [rule({ code: 'undecodable' }), /retries\.0\.code: found "undecodable"/],
    [rule({ code: 'safety_violation', max_attempts: 2 }), /never tried again/],
    [rule({ max_attempts: 21 }), /max_attempts: found 21, expected a whole number from 0 to 20/],
    [rule({ initial_ms: 2000, max_ms: 1000 }), /max_ms: found 1000, expected at least initial_ms, 2000/],
    [rule({ initial_ms: -1 }), /initial_ms: found -1/],
  ] as const) {
    it(`are refused: ${JSON.stringify(given)}`, () => {
      assert.throws(() => checkRetries([given]), { code: 'invalid_mission', message });
    });
  }
});
