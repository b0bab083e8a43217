import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { leaseSpanId, newMissionTraceparent, traceOfMission } from './mission-trace.ts';
import { readTraceparent, writeTraceparent } from './traceparent.ts';

const hex = (digits: number) =>
  fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: digits, maxLength: digits })
    .filter((text) => /[^0]/.test(text));
const place = fc.record(
  { traceId: hex(32), spanId: hex(16), sampled: fc.boolean() },
  { noNullPrototype: true },
);

describe('traceparent', () => {
  it('reads what it writes', () => {
    fc.assert(fc.property(place, (each) => assert.deepEqual(readTraceparent(writeTraceparent(each)), each)));
  });

  it('reads what later versions add, and what other flags say', () => {
    const [trace, span] = ['1'.repeat(32), '2'.repeat(16)];
    assert.equal(readTraceparent(`01-${trace}-${span}-03-more`)?.sampled, true);
    assert.equal(readTraceparent(`00-${trace}-${span}-02`)?.sampled, false);
  });

  it('takes nonsense for none', () => {
    const [trace, span] = ['1'.repeat(32), '2'.repeat(16)];
    for (const text of [
      ...[null, undefined, '', 'x', `00-${trace}-${span}`, `ff-${trace}-${span}-01`],
      ...[
        `00-${trace}-${span}-01-more`,
        `00-${'0'.repeat(32)}-${span}-01`,
        `00-${trace}-${'0'.repeat(16)}-01`,
      ],
      ...[`00-${'A'.repeat(32)}-${span}-01`, ` 00-${trace}-${span}-01`, `00-${trace}-${span}-01\n`],
    ]) {
      assert.equal(readTraceparent(text), null, String(text));
    }
    fc.assert(fc.property(fc.string(), (text) => readTraceparent(text) === null));
  });
});

describe('the trace of a mission', () => {
  it('is that of whoever asked for it, below his span', () => {
    fc.assert(
      fc.property(fc.string(), place, (id, caller) => {
        const trace = traceOfMission(id, writeTraceparent(caller));
        assert.equal(trace.traceId, caller.traceId);
        assert.deepEqual(trace.caller, caller);
        assert.notEqual(trace.spanId, caller.spanId);
      }),
    );
  });

  it('has the mission as its root when our own commands made it', () => {
    const traceparent = newMissionTraceparent('m');
    assert.notEqual(newMissionTraceparent('m'), traceparent);
    const { traceId, spanId, caller } = traceOfMission('m', traceparent);
    assert.equal(caller, null);
    assert.deepEqual(readTraceparent(traceparent), { traceId, spanId, sampled: true });
  });

  it('follows from its id when it came without one', () => {
    const trace = traceOfMission('m', null);
    assert.deepEqual(traceOfMission('m', 'nonsense'), trace);
    assert.deepEqual(traceOfMission('m', ''), trace);
    assert.notEqual(traceOfMission('n', null).traceId, trace.traceId);
    assert.notEqual(readTraceparent(writeTraceparent({ ...trace, sampled: true })), null);
  });

  it('gives each lease a span of its own, whatever tasks are called', () => {
    const ids = [
      ...[leaseSpanId('m', 't', 1, 1), leaseSpanId('m', 't', 1, 2), leaseSpanId('m', 't', 2, 1)],
      ...[leaseSpanId('m', 't/1', 1, 1), leaseSpanId('m/t', '1', 1, 1), leaseSpanId('n', 't', 1, 1)],
      traceOfMission('m', null).spanId,
    ];
    assert.equal(new Set(ids).size, ids.length);
  });
});
