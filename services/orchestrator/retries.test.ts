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
const policyOf = (retries: readonly RetryRule[], role_retries: readonly RetryRule[]): MissionPolicy => ({
  ...defaultPolicy,
  options: { ...defaultPolicy.options, retries, role_retries },
});
const policy = (...retries: RetryRule[]) => policyOf(retries, []);
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

  it('of a role hold for it alone, and what they leave out is as the policy says', () => {
    const given = policyOf([], [rule({ code: 'timeout', role: 'a', max_attempts: 5, initial_ms: 60_000 })]);
    assert.deepEqual(attemptRetry(given, 'timeout', 'a', 3), {
      max_attempts: 5,
      initial_ms: 60_000,
      max_ms: 60_000,
    });
    for (const [c, r] of [
      ['timeout', 'b'],
      ['lease_lost', 'a'],
    ] as const) {
      assert.deepEqual(attemptRetry(given, c, r, 3), attemptRetry(defaultPolicy, c, r, 3));
    }
  });

  it('of a role can have tried again what else is not, and not what is', () => {
    const given = policyOf(
      [],
      [
        rule({ code: 'invalid_output', role: 'a' }),
        rule({ code: 'timeout', role: 'a', max_attempts: 1 }),
        rule({ code: 'outcome_unknown', role: 'a', max_attempts: 1 }),
      ],
    );
    const most = (c: string) => attemptRetry(given, c, 'a', 3).max_attempts;
    assert.deepEqual(['invalid_output', 'timeout', 'outcome_unknown', 'lease_lost'].map(most), [3, 1, 1, 3]);
  });

  it('of a mission count before those of a role, whatever they name, in all that they say', () => {
    const override = (mission: Partial<RetryRule>) =>
      attemptRetry(
        policyOf(
          [rule(mission)],
          [rule({ code: 'timeout', role: 'a', max_attempts: 5, initial_ms: 4000, max_ms: 9000 })],
        ),
        'timeout',
        'a',
        3,
      );
    assert.deepEqual(override({ max_attempts: 2 }), { max_attempts: 2, initial_ms: 4000, max_ms: 9000 });
    assert.deepEqual(override({ code: 'timeout', initial_ms: 7000 }), {
      ...{ max_attempts: 5, initial_ms: 7000, max_ms: 9000 },
    });
    assert.equal(override({ initial_ms: 20_000 }).max_ms, 20_000);
    assert.equal(override({ role: 'b', max_attempts: 2 }).max_attempts, 5, 'for another role');
    fc.assert(
      fc.property(rules, rules, code, role, fc.integer({ min: 1, max: 20 }), (own, ofRoles, c, r, n) => {
        const alone = attemptRetry(policy(...own), c, r, n);
        const given = policyOf(
          own,
          ofRoles.map((each) => ({ ...each, role: each.role || 'a' })),
        );
        const found = attemptRetry(given, c, r, n);
        const says = own.filter(
          (each) => (each.code === '' ? isRetried(c) : each.code === c) && ['', r].includes(each.role),
        );
        if (says.length > 0 && says.every(({ max_attempts }) => max_attempts > 0)) {
          assert.equal(found.max_attempts, alone.max_attempts);
        }
        if (says.length > 0 && says.every(({ initial_ms }) => initial_ms > 0)) {
          assert.equal(found.initial_ms, alone.initial_ms);
        }
        if (says.length > 0 && says.every(({ max_ms }) => max_ms > 0)) {
          assert.equal(found.max_ms, alone.max_ms);
        }
      }),
    );
  });

  it('of a role give a task no more attempts than it says itself', () => {
    const given = policyOf([], [rule({ role: 'a', max_attempts: 5 })]);
    const most = [1, 2, 3, 4, 6].map((ofTask) => attemptRetry(given, 'timeout', 'a', ofTask).max_attempts);
    // 3 is what the policy says of all tasks.
    assert.deepEqual(most, [1, 2, 5, 4, 5]);
  });

  it('of roles name their role, and are not endless', () => {
    const refused = (role_retries: RetryRule[]) => () => checkRetries({ retries: [], role_retries });
    const code = 'invalid_mission';
    assert.throws(refused([rule({})]), { code, message: /options\.role_retries\.0\.role: found ""/ });
    assert.throws(refused([rule({ role: 'a' }), rule({ role: 'b', code: 'nope' })]), {
      code,
      message: /options\.role_retries\.1\.code: found "nope", expected a code of a task/,
    });
    const many = Array.from({ length: 501 }, () => rule({ role: 'a' }));
    assert.throws(refused(many), { code, message: /role_retries: found 501 rules, expected at most 500/ });
  });

  for (const [given, message] of [
    [rule({ code: 'undecodable' }), /retries\.0\.code: found "undecodable"/],
    [rule({ code: 'safety_violation', max_attempts: 2 }), /never tried again/],
    [rule({ max_attempts: 21 }), /max_attempts: found 21, expected a whole number from 0 to 20/],
    [
      rule({ initial_ms: 2000, max_ms: 1000 }),
      /max_ms: found 1000, expected at least the first delay, 2000 ms/,
    ],
    [rule({ initial_ms: -1 }), /initial_ms: found -1/],
  ] as const) {
    it(`are refused: ${JSON.stringify(given)}`, () => {
      assert.throws(() => checkRetries({ retries: [given], role_retries: [] }), {
        code: 'invalid_mission',
        message,
      });
    });
  }
});
