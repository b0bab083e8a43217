import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { noTail, seal } from './ledger.ts';
import { history, start, submit, task } from './scenario.ts';

const codec = createCodec(numberedIds());
const { facts } = history(submit([task('a')]));
const by = { mission_id: 'm1', priority: 'high', causation_id: 'c1', now: start, codec } as const;

describe('sealing', () => {
  it('refuses a fact that its schema does not have', () => {
    const [first] = facts;
    assert.ok(first?.event_type === 'mission_accepted');
    const wrong = { ...first, payload: { ...first.payload, name: 7 as unknown as string } };
    assert.throws(() => seal([wrong], { ...by, tail: noTail }), { code: 'invalid_payload' });
  });

  it('numbers and chains facts over the bodies of the ones before', () => {
    const { events, tail } = seal(facts, { ...by, tail: noTail });
    let hash = '';
    events.forEach(({ event, bytes }, position) => {
      assert.equal(event.sequence, position + 1);
      assert.equal(event.event_id, `m1:${position + 1}`);
      assert.equal(event.previous_hash, hash);
      assert.deepEqual([event.causation_id, event.priority, event.timestamp], ['c1', 'high', start]);
      assert.deepEqual(
        JSON.parse(JSON.stringify(codec.decode(bytes).value)),
        JSON.parse(JSON.stringify(event)),
      );
      hash = createHash('sha256').update(bytes.subarray(5)).digest('hex');
    });
    assert.deepEqual(tail, { sequence: facts.length, hash });
  });

  it('goes on from a tail as if it had never stopped', () => {
    const whole = seal(facts, { ...by, tail: noTail });
    const first = seal(facts.slice(0, 2), { ...by, tail: noTail });
    const rest = seal(facts.slice(2), { ...by, tail: first.tail });
    assert.deepEqual(
      [...first.events, ...rest.events].map(({ bytes }) => bytes),
      whole.events.map(({ bytes }) => bytes),
    );
    assert.deepEqual(rest.tail, whole.tail);
  });
});
