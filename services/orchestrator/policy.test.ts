import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultPolicy, resolvePolicy } from './policy.ts';

const none = { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 0, deadline_ms: 0, max_attempts: 0 };

describe('policy', () => {
  for (const [field, bad] of [
    ['max_in_flight', 1001],
    ['max_in_flight', -1],
    ['task_timeout_ms', 99],
    ['lease_ms', 999],
    ['lease_ms', 600_001],
    ['deadline_ms', 1.5],
    ['max_attempts', 21],
  ] as const) {
    it(`refuses ${field} ${bad} and says what it expected`, () => {
      assert.throws(() => resolvePolicy({ ...none, [field]: bad }, 'fail_fast'), {
        code: 'invalid_mission',
        message: new RegExp(`^limits.${field}: found ${bad}, expected a whole number from \\d+ to \\d+`),
      });
    });
  }

  it('refuses an unknown on_failure', () => {
    assert.throws(() => resolvePolicy(none, 'shrug'), {
      code: 'invalid_mission',
      message: 'on_failure: found "shrug", expected one of fail_fast, continue, replan, compensate, suspend',
    });
  });

  it('takes the default for 0 and keeps the rest', () => {
    assert.deepEqual(resolvePolicy(none, 'fail_fast'), defaultPolicy);
    assert.deepEqual(resolvePolicy({ ...none, max_in_flight: 2, lease_ms: 1000 }, 'continue'), {
      ...defaultPolicy,
      max_in_flight: 2,
      lease_ms: 1000,
      on_failure: 'continue',
    });
  });
});
