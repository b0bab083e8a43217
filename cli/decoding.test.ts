import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReadRecord } from '#chassis/reader.ts';
import { type Codec, createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { decodeInOrder } from './decoding.ts';

const ours = createCodec(numberedIds());
const signal = new AbortController().signal;

function record(offset: number, first: number): ReadRecord {
  const value = Buffer.from([0, 0, 0, 0, first]);
  const message = {
    key: Buffer.from('m'),
    value,
    offset: String(offset),
    timestamp: '0',
    attributes: 0,
    headers: {},
  };
  return { topic: 't', partition: 0, offset, message } as ReadRecord;
}

/** Knows all ids but 9, which takes its time to load. */
function slowCodec(fail = false): Codec {
  let loaded = false;
  return {
    ...ours,
    knows: (bytes) => bytes[4] !== 9 || loaded,
    load: async () => {
      await new Promise(setImmediate);
      if (fail) throw new Error('no registry');
      loaded = true;
    },
  };
}

describe('decoding in order', () => {
  it('lets records wait behind one whose schema has to be loaded', async () => {
    const seen: number[] = [];
    const decoder = decodeInOrder(slowCodec(), signal, ({ offset }) => void seen.push(offset));
    for (const [offset, id] of [
      [0, 1],
      [1, 9],
      [2, 1],
    ] as const)
      assert.equal(decoder.take(record(offset, id)), true);
    assert.deepEqual(seen, [0]);
    await decoder.end();
    assert.deepEqual(seen, [0, 1, 2]);
  });

  it('stops when it is told to', async () => {
    const seen: number[] = [];
    const decoder = decodeInOrder(ours, signal, ({ offset }) => {
      seen.push(offset);
      return offset < 1;
    });
    assert.deepEqual(
      [0, 1, 2].map((offset) => decoder.take(record(offset, 1))),
      [true, false, false],
    );
    await decoder.end();
    assert.deepEqual(seen, [0, 1]);
  });

  it('tells when a schema cannot be loaded', async () => {
    const decoder = decodeInOrder(slowCodec(true), signal, () => true);
    decoder.take(record(0, 9));
    await assert.rejects(decoder.end(), /no registry/);
    assert.throws(() => decoder.take(record(1, 1)), /no registry/);
  });
});
