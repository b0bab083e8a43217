import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FactEvent } from '#orchestrator/facts.ts';
import { type ChainTail, createCodec, emptyChain, hashChain } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { StepEvent } from '#worker/journal.ts';
import { checkJournals } from './journal-check.ts';

const codec = createCodec(numberedIds());
const place = { partition: 1, offset: 7 };

interface Step {
  readonly event: StepEvent;
  readonly bytes: Buffer;
}

/** So many steps of a lease, chained to what comes before. */
function chain(count: number, lease = 1, from: ChainTail = emptyChain): { steps: Step[]; tail: ChainTail } {
  let tail = from;
  const steps = Array.from({ length: count }, () => {
    const sequence = tail.sequence + 1;
    const event = stepOf('model_call_started', lease, { sequence, previous_hash: tail.hash });
    const bytes = codec.encode(event);
    tail = hashChain(tail, bytes);
    return { event, bytes };
  });
  return { steps, tail };
}

function stepOf(
  event_type: 'model_call_started',
  lease: number,
  link: { sequence: number; previous_hash: string },
): Extract<StepEvent, { event_type: 'model_call_started' }> {
  const call = {
    ...{ provider: 'scripted', model: 'm', request_hash: '', prompt_version: '', tools_hash: '' },
    ...{ temperature: null, answer: '', most: null },
  };
  return {
    ...{ event_id: `s${lease}-${link.sequence}`, event_type, source_agent: 'cert_agent', target_agent: 'm' },
    ...{ timestamp: 0, version: 1, correlation_id: 'm-1', causation_id: '', priority: 'normal' as const },
    ...link,
    payload: { task_id: 'a', attempt: 1, lease, step: link.sequence, agent: 'w', ...call },
  };
}

function marker(lease: number): Step {
  const { payload, ...envelope } = stepOf('model_call_started', lease, { sequence: 0, previous_hash: '' });
  const { task_id, attempt, agent } = payload;
  const event = {
    ...envelope,
    event_type: 'journal_resumed',
    payload: { task_id, attempt, lease, step: 0, agent },
  } as const;
  return { event, bytes: codec.encode(event) };
}

function ended(journal_hash: string): FactEvent {
  return {
    ...stepOf('model_call_started', 1, { sequence: 9, previous_hash: '' }),
    event_type: 'task_completed',
    payload: {
      task_id: 'a',
      attempt: 1,
      lease: 1,
      agent: 'w',
      result: '',
      steps: 3,
      journal_hash,
      duration_ms: 1,
      usage: {},
    },
  } as unknown as FactEvent;
}

function check(hash: string, steps: readonly Step[], deleted = false) {
  const journals = checkJournals();
  journals.fact(ended(hash), place);
  for (const { event, bytes } of steps) journals.step(event, bytes);
  const { findings, summary } = journals.end(() => deleted);
  return { what: findings.map(({ what }) => what), summary };
}

describe('journal check', () => {
  const { steps, tail } = chain(3);

  it('finds the hash that the ledger has', () => {
    assert.deepEqual(check(tail.hash, steps), { what: [], summary: { checked: 1, unchecked: 0, steps: 3 } });
  });

  it('does not mind a step that a lost answer wrote twice, nor what comes after the end', () => {
    const [first, second] = steps;
    assert.ok(first && second);
    const after = chain(1, 1, tail).steps;
    assert.deepEqual(check(tail.hash, [first, first, second, first, ...steps.slice(1), ...after]).what, []);
  });

  it('passes over what an older lease wrote after a resume', () => {
    const begun = chain(1);
    const zombie = chain(1, 1, begun.tail);
    const resumed = chain(2, 2, begun.tail);
    assert.deepEqual(
      check(resumed.tail.hash, [...begun.steps, marker(2), ...zombie.steps, ...resumed.steps]).what,
      [],
    );
  });

  it('finds a step that was changed, left out or exchanged', () => {
    const [first, second, third] = steps;
    assert.ok(first && second && third);
    const changed = stepOf('model_call_started', 1, {
      sequence: 2,
      previous_hash: second.event.previous_hash,
    });
    const forged = { ...changed, payload: { ...changed.payload, model: 'other' } };
    const forgery = { event: forged, bytes: codec.encode(forged) };
    assert.deepEqual(check(tail.hash, [first, forgery, third]).what, ['journal_broken']);
    assert.deepEqual(check(tail.hash, [first, third]).what, ['journal_broken']);
    assert.deepEqual(check(tail.hash, [first, second]).what, ['journal_differs']);
  });

  it('tells steps that retention deleted from steps that are missing', () => {
    assert.deepEqual(check(tail.hash, [], true).summary, { checked: 0, unchecked: 1, steps: 0 });
    assert.deepEqual(check(tail.hash, steps.slice(1), true).summary, { checked: 0, unchecked: 1, steps: 2 });
    assert.deepEqual(check(tail.hash, []).what, ['journal_missing']);
    assert.deepEqual(check(tail.hash, steps.slice(1)).what, ['journal_missing']);
  });

  it('expects no journal of an end that a timer made', () => {
    assert.deepEqual(check('', []), { what: [], summary: { checked: 0, unchecked: 0, steps: 0 } });
  });
});
