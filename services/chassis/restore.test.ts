import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { KafkaMessage } from 'kafkajs';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { PartitionLogic } from './processor.ts';
import { epochKey, positionsKey, Restore } from './restore.ts';

function reading() {
  const state = new Map<string, string>();
  const logic: PartitionLogic = {
    restore(key, value) {
      if (value === null) state.delete(key);
      else state.set(key, value.toString());
    },
    restored() {},
    ready: () => true,
    handle: () => 'lazy',
    nextAlarm: () => null,
    alarm() {},
    changes: () => [],
    close() {},
  };
  return { state, restore: new Restore(logic, { restore() {} }, createCodec(numberedIds())) };
}

const record = (key: string, value: string | null): KafkaMessage => ({
  key: Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: {},
  timestamp: '0',
  attributes: 0,
  offset: '0',
});

test('the last value of a key counts, a null forgets it, and the positions are those before the marker', async () => {
  const { state, restore } = reading();
  restore.take([record('a', '1'), record(positionsKey, '{"in":3}'), record('b', '1')]);
  restore.take([record('a', '2'), record('b', null), record(positionsKey, '{"in":5}')]);
  restore.take([record(epochKey, restore.marker)]);
  await restore.done();
  assert.deepEqual([...state], [['a', '2']]);
  assert.deepEqual(restore.positions, { in: 5 });
});

test('markers of earlier owners are passed over, and nothing behind ours is taken', async () => {
  const { state, restore } = reading();
  restore.take([
    record(epochKey, 'an earlier owner'),
    record('a', '1'),
    record(epochKey, restore.marker),
    record('a', '9'),
  ]);
  await restore.done();
  assert.deepEqual([...state], [['a', '1']]);
});

test('it waits for a marker that comes later', async () => {
  const { restore } = reading();
  let done = false;
  const waiting = restore.done().then(() => {
    done = true;
  });
  restore.take([record('a', '1')]);
  await Promise.resolve();
  assert.equal(done, false);
  restore.take([record(epochKey, restore.marker)]);
  await waiting;
});

test('positions that are none are refused', () => {
  const { restore } = reading();
  assert.throws(() => restore.take([record(positionsKey, '{"in":"far"}')]));
});

test('a restore may take as long as it likes while something comes, and fails after a minute without', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { restore } = reading();
    const waiting = restore.done();
    let over = false;
    waiting.catch(() => {
      over = true;
    });
    for (let i = 0; i < 5; i++) {
      mock.timers.tick(59_999);
      restore.take([record('a', String(i))]);
      await new Promise((turn) => setImmediate(turn));
    }
    assert.equal(over, false);
    const failed = assert.rejects(waiting, { code: 'deadline_exceeded' });
    mock.timers.tick(60_000);
    await failed;
  } finally {
    mock.timers.reset();
  }
});

test('a restore that is given up ends at once', async () => {
  const { restore } = reading();
  const waiting = restore.done();
  restore.giveUp();
  await assert.rejects(waiting, { code: 'aborted' });
});
