import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '#orchestrator/decide.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import type { Input } from '#orchestrator/input.ts';
import { defaultPolicy } from '#orchestrator/policy.ts';
import type { MissionState } from '#orchestrator/state.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import { ReviewLedger } from './review-ledger.ts';

const start = 1_700_000_000_000;
const expires_at = start + 60_000;

/** A mission of one task, driven by `decide`; `ask` parks it. */
function mission() {
  const ledger = new ReviewLedger();
  const facts: FactEvent[] = [];
  let state: MissionState | null = null;
  let now = start;
  const take = (input: Input, at = now + 1) => {
    now = at;
    const decision = decide(state, input, { now });
    assert.equal(decision.kind, 'facts', JSON.stringify(decision));
    if (decision.kind !== 'facts') return;
    state = decision.state;
    for (const draft of decision.facts) {
      const about = { event_id: 'e', version: 1, causation_id: 'c', previous_hash: '', priority: 'normal' };
      const event = { ...about, ...draft, correlation_id: 'm', timestamp: now, sequence: facts.length + 1 };
      facts.push(event as FactEvent);
      ledger.add(event as FactEvent);
    }
  };
  const about = { mission_id: 'm', name: '', brief: 'x', priority: 'normal', traceparent: '' } as const;
  const tasks = [taskSpec({ id: 'a', role: 'r' }), taskSpec({ id: 'b', role: 'r' })];
  take({
    kind: 'submit',
    ...about,
    tasks,
    policy: defaultPolicy,
    roles: [],
    parent: null,
    depth: 0,
    rules: 0,
  });
  const report = (event_type: string, payload: object, task_id = 'a') => {
    const who = { task_id, attempt: 1, lease: 1, agent: 'w' };
    const between = { source_agent: 'r', target_agent: 'orchestrator' };
    const envelope = { event_id: 'r', ...between, correlation_id: 'm', timestamp: now + 1 };
    take({ kind: 'report', event: { ...envelope, event_type, payload: { ...who, ...payload } } as never });
  };
  const ask = (task_id: string, arguments_hash = 'hash') => {
    report('task_started', { journal_partition: 0, journal_offset: 0 }, task_id);
    const what = { kind: 'tool_call', reason: 'why', tool: 'run', arguments: '{}', arguments_hash, step: 2 };
    report('review_requested', { ...what, review_id: `m/${task_id}/1/2`, expires_at }, task_id);
  };
  return { ledger, facts, ask, take };
}

const approved = {
  decision: 'approved',
  arguments_hash: 'hash',
  reviewer: 'person:ann',
  comment: '',
} as const;

describe('reviews as the ledger has them', () => {
  it('wait from the question on', () => {
    const { ledger, ask } = mission();
    ask('a');
    const review = ledger.find('m/a/1/2');
    assert.equal(review.payload.arguments_hash, 'hash');
    assert.equal(ledger.refusal(review, start), null);
    assert.equal(ledger.refusal(review, expires_at)?.code, 'review_expired');
  });

  it('are found by the beginning of their id, if only one begins so', () => {
    const { ledger, ask, take } = mission();
    ask('a');
    assert.equal(ledger.find('m/').payload.review_id, 'm/a/1/2');
    ask('b');
    assert.throws(
      () => ledger.find('m/'),
      /found 2 that begin with m\/ \(m\/a\/1\/2, m\/b\/1\/2\), expected one/,
    );
    assert.throws(() => ledger.find('m/c'), { code: 'review_unknown' });
    take({ kind: 'review', review_id: 'm/a/1/2', ...approved });
    // One that waits is meant before one that does not.
    assert.equal(ledger.find('m/').payload.review_id, 'm/b/1/2');
  });

  it('are answered once', () => {
    const { ledger, ask, take } = mission();
    ask('a');
    take({ kind: 'review', review_id: 'm/a/1/2', ...approved });
    const refusal = ledger.refusal(ledger.find('m/a'), start);
    assert.equal(refusal?.code, 'review_unknown');
    assert.match(refusal?.message ?? '', /was answered already: approved by person:ann at 2023-11-14T/);
    assert.equal(ledger.answer('m/a/1/2')?.payload.decision, 'approved');
  });

  it('are over when nobody answered in time, or the mission ended', () => {
    const late = mission();
    late.ask('a');
    const timer = {
      kind: 'timer',
      timer: 'review',
      task_id: 'a',
      attempt: 1,
      lease: 1,
      aggregation: '',
    } as const;
    late.take({ ...timer, due_at: expires_at, review_id: 'm/a/1/2' }, expires_at);
    assert.equal(late.ledger.refusal(late.ledger.find('m/a'), expires_at)?.code, 'review_expired');
    const cancelled = mission();
    cancelled.ask('a');
    cancelled.take({ kind: 'cancel', reason: 'enough', by: 'person' });
    const refusal = cancelled.ledger.refusal(cancelled.ledger.find('m/a'), start);
    assert.equal(refusal?.code, 'review_unknown');
    assert.match(refusal?.message ?? '', /of a mission that is cancelled/);
  });

  it('take a fact that is read twice once', () => {
    const { ledger, facts, ask, take } = mission();
    ask('a');
    take({ kind: 'review', review_id: 'm/a/1/2', ...approved });
    for (const fact of facts) ledger.add(fact);
    assert.equal(ledger.answer('m/a/1/2')?.payload.decision, 'approved');
  });
});
