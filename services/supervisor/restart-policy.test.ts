import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { afterEnd, defaultPolicy, noHistory, type RestartHistory } from './restart-policy.ts';

const policy = { initialMs: 200, mostMs: 10_000, healthyMs: 60_000, budget: 5, windowMs: 600_000 };

/** Ends a service again and again, each time after it ran for so long. */
function pauses(
  runs: readonly number[],
  { exitCode = 1, wasReady = true }: { exitCode?: number | null; wasReady?: boolean } = {},
): (number | string)[] {
  let history: RestartHistory = noHistory;
  let now = 1000;
  return runs.map((ranMs) => {
    const startedAt = now;
    now += ranMs;
    const end = afterEnd(history, { startedAt, endedAt: now, exitCode, wasReady }, policy);
    history = end.history;
    if (end.verdict.kind === 'give_up') return 'give_up';
    now += end.verdict.afterMs;
    return end.verdict.afterMs;
  });
}

describe('restart policy', () => {
  it('doubles the pause with each end in a row', () => {
    assert.deepEqual(pauses([0, 0, 0, 0, 0]), [200, 400, 800, 1600, 3200]);
  });

  it('begins again after a healthy run', () => {
    assert.deepEqual(pauses([0, 0, 60_000, 0]), [200, 400, 200, 400]);
  });

  it('gives up when the budget is used', () => {
    assert.deepEqual(pauses([0, 0, 0, 0, 0, 0]).at(-1), 'give_up');
  });

  it('forgets ends that are older than the window', () => {
    assert.ok(!pauses(Array.from({ length: 40 }, () => 150_000)).includes('give_up'));
  });

  it('outlasts brokers that are away, however long: what was never ready uses up nothing', () => {
    const outage = pauses(
      Array.from({ length: 500 }, () => 1500),
      { wasReady: false },
    );
    assert.ok(!outage.includes('give_up'));
    assert.equal(outage.at(-1), 10_000);
  });

  it('still has its whole budget after an outage', () => {
    const never = { startedAt: 0, exitCode: 1, wasReady: false };
    let history: RestartHistory = noHistory;
    for (let endedAt = 1; endedAt < 100; endedAt++) {
      history = afterEnd(history, { ...never, endedAt }, policy).history;
    }
    assert.deepEqual(history.ends, []);
  });

  it('gives up at once when the configuration is wrong', () => {
    assert.deepEqual(pauses([0], { exitCode: 2, wasReady: false }), ['give_up']);
  });

  it('restarts after a signal', () => {
    assert.deepEqual(pauses([0], { exitCode: null }), [200]);
  });

  it('keeps every pause within its bounds, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(700_000), fc.boolean()), { maxLength: 200 }), (runs) => {
        let history: RestartHistory = noHistory;
        let now = 0;
        for (const [ranMs, wasReady] of runs) {
          const run = { startedAt: now, endedAt: now + ranMs, exitCode: 1, wasReady };
          const end = afterEnd(history, run, defaultPolicy);
          history = end.history;
          now += ranMs;
          if (end.verdict.kind === 'give_up') return;
          const { afterMs } = end.verdict;
          assert.ok(afterMs >= defaultPolicy.initialMs && afterMs <= defaultPolicy.mostMs, String(afterMs));
          assert.ok(history.ends.length <= defaultPolicy.budget);
        }
      }),
    );
  });
});
