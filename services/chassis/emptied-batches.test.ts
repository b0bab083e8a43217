import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptiedEnd } from './emptied-batches.ts';

/** A batch of message format 2; what its records are does not matter here. */
function batch(base: number, lastOffsetDelta: number, records: number, attributes = 0x10): Buffer {
  const bytes = Buffer.alloc(61 + records * 10);
  bytes.writeBigInt64BE(BigInt(base), 0);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes[16] = 2;
  bytes.writeInt16BE(attributes, 21);
  bytes.writeInt32BE(lastOffsetDelta, 23);
  bytes.writeBigInt64BE(103n, 43);
  bytes.writeInt32BE(records, 57);
  return bytes;
}

test('an empty batch at the end is stood for by its last offset, and never shown', () => {
  const end = emptiedEnd(Buffer.concat([batch(7, 0, 1), batch(18, 4, 0)]));
  assert.deepEqual(end, {
    offset: '22',
    key: null,
    isControlRecord: true,
    batchContext: { producerId: '103', inTransaction: true },
  });
  assert.equal(emptiedEnd(batch(18, 0, 0, 0))?.batchContext.inTransaction, false);
});

test('an empty batch before one with records, no batch and an old format need nothing', () => {
  assert.equal(emptiedEnd(Buffer.concat([batch(18, 4, 0), batch(23, 0, 1)])), null);
  assert.equal(emptiedEnd(Buffer.alloc(0)), null);
  const old = batch(18, 0, 0);
  old[16] = 1;
  assert.equal(emptiedEnd(old), null);
});

test('a batch that is cut off is not looked at: the next fetch has the whole of it', () => {
  const cut = batch(23, 0, 3);
  assert.equal(emptiedEnd(Buffer.concat([batch(18, 4, 0), cut.subarray(0, 70)]))?.offset, '22');
  assert.equal(emptiedEnd(Buffer.concat([batch(7, 0, 1), batch(18, 4, 0).subarray(0, 40)])), null);
});
