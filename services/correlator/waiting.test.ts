import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isFact } from '#orchestrator/facts.ts';
import { ledgerOf, travel, wideJourneys } from '#orchestrator/journey.ts';
import { reacts, settles } from '#orchestrator/settling.ts';
import { taskHasEnded } from '#orchestrator/state.ts';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { correlate } from './decide.ts';
import {
  aggregator,
  emits,
  fold,
  Ledger,
  ledgerTopic,
  nobody,
  only,
  subscription,
  task,
} from './scenario.ts';
import type { Correlation } from './state.ts';

const codec = createCodec(numberedIds());
const listens = subscription('s', { type: 'Never' }, emits('Y'));
const settledUpTo = (ledger: Ledger) =>
  only(fold(ledger.facts), 'reactions_settled').map(({ payload }) => payload.up_to);

/** A mission that reacts, whose two tasks have been given to somebody. */
const busy = (options: Parameters<Ledger['accepted']>[0] = { subscriptions: [listens] }): Ledger =>
  new Ledger()
    .accepted(options, [task('a'), task('b')])
    .planned([task('a'), task('b'), task('later', { needs: ['a'] })])
    .assigned('a')
    .assigned('b');

describe('tasks that wait for what another should provide', () => {
  it('are said to be all that is left when nothing is busy, what never began left aside', () => {
    const ledger = busy().requires('a', 'x');
    assert.deepEqual(settledUpTo(ledger), []);
    ledger.completed('b');
    assert.deepEqual(settledUpTo(ledger), [6]);
    ledger.emitted('Other');
    assert.deepEqual(settledUpTo(ledger), [6, 7]);
    // It has its answer, and is busy again.
    ledger.unavailable('a', 'x');
    assert.deepEqual(settledUpTo(ledger), [6, 7]);
    ledger.assigned('a').completed('a');
    assert.deepEqual(settledUpTo(ledger), [6, 7], 'the third has yet to begin');
  });

  it('are all that is left, too, where another is to begin again, and those that wait hold the budget for it', () => {
    const handed = busy().requires('a', 'x').handedOff('b');
    assert.deepEqual(settledUpTo(handed), [6]);
    const retried = busy().requires('a', 'x').attemptFailed('b');
    assert.deepEqual(settledUpTo(retried), [], 'its retry will come');
    assert.deepEqual(settledUpTo(retried.retryDue('b')), [7]);
    // What is assigned in the same decision makes that settling old, and no other follows.
    assert.deepEqual(settledUpTo(retried.assigned('b')), [7]);
  });

  it('wait for a reaction that was reported, and for an aggregator with a timeout', () => {
    const slow = aggregator('slow', [{ type: 'One' }], { timeout_ms: 5000 });
    const ledger = busy({ aggregators: [slow] })
      .requires('a', 'x')
      .completed('b');
    assert.deepEqual(settledUpTo(ledger), []);
    ledger.timer('slow');
    const made = fold(ledger.facts).reports.map(({ event_type }) => event_type);
    assert.deepEqual(made, ['aggregation_started', 'aggregation_timed_out', 'reactions_settled']);
  });

  it('do not make an aggregator without a timeout give up: they may have what it waits for', () => {
    const slow = aggregator('slow', [{ type: 'task_completed', source: 'a_role' }]);
    const ledger = busy({ aggregators: [slow] })
      .requires('a', 'x')
      .completed('b');
    assert.deepEqual(settledUpTo(ledger), [6]);
    ledger.unavailable('a', 'x').assigned('a').completed('a');
    const made = fold(ledger.facts);
    assert.equal(only(made, 'aggregation_completed').length, 1);
    assert.equal(only(made, 'aggregation_timed_out').length, 0);
  });

  it('are told of whenever the orchestrator would take it, on every journey', () => {
    let stuck = 0;
    fc.assert(
      fc.property(wideJourneys(), (journey) => {
        const steps = travel(journey);
        const facts = ledgerOf('m1', steps, codec).records.map((bytes) => codec.decode(bytes).value);
        let at = 0;
        let state: Correlation | null = null;
        for (const { decision } of steps) {
          if (decision.kind === 'ignored') continue;
          let told: readonly { readonly event_type: string; readonly payload: object }[] = [];
          for (const { event_type } of decision.facts) {
            const fact = facts[at++];
            assert.ok(fact !== undefined && 'event_type' in fact && 'payload' in fact && isFact(fact));
            assert.equal(fact.event_type, event_type);
            const made = correlate(state, fact, { standing: nobody, ledger: ledgerTopic });
            state = made.state;
            told = made.reports;
          }
          const { sequence, tasks } = decision.state;
          if (!reacts(decision.state) || !settles(decision.state, sequence)) continue;
          if (!tasks.every(taskHasEnded)) stuck += 1;
          const settled = told.filter(({ event_type }) => event_type === 'reactions_settled');
          assert.deepEqual(
            settled.map(({ payload }) => payload),
            [{ up_to: sequence }],
          );
        }
      }),
      { numRuns: 400, seed: 5 },
    );
    assert.ok(stuck > 50, `${stuck} times a task waited for nobody`);
  });
});
