import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import type { KafkaMessage } from 'kafkajs';
import { Alarm } from './alarm.ts';

let now = 1000;
let sent: string[] = [];
let failures: unknown[] = [];

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  now = 1000;
  sent = [];
  failures = [];
});

function alarm(send: (key: string) => Promise<void> = async (key) => void sent.push(key)): Alarm {
  return new Alarm({
    now: () => now,
    sendBarrier: send,
    rang: () => assert.fail('it waits for its barrier'),
    failed: (error) => failures.push(error),
  });
}

function pass(ms: number): void {
  now += ms;
  mock.timers.tick(ms);
}

const message = (key: string, value: Buffer | null = null): KafkaMessage => ({
  key: Buffer.from(key),
  value,
  headers: {},
  timestamp: '0',
  attributes: 0,
  offset: '0',
});

test('when a timer is due, a barrier goes first, and the alarm rings when it comes back', () => {
  const clock = alarm();
  clock.set(1500, 'epoch');
  pass(499);
  assert.deepEqual(sent, []);
  pass(1);
  assert.equal(sent.length, 1);
  const barrier = message(sent[0] ?? '');
  assert.ok(clock.isBarrier(barrier));
  assert.ok(clock.rings(barrier));
  assert.ok(!clock.rings(barrier), 'it rings once');
});

test('a timer that is moved sends no barrier at its old time', () => {
  const clock = alarm();
  clock.set(1500, 'epoch');
  clock.set(3000, 'epoch');
  pass(1000);
  assert.deepEqual(sent, []);
  pass(1000);
  assert.equal(sent.length, 1);
});

test('while a barrier is under way, no second one is sent', () => {
  const clock = alarm();
  clock.set(1000, 'epoch');
  pass(0);
  clock.set(1001, 'epoch');
  pass(100);
  assert.equal(sent.length, 1);
});

test('a lost barrier does not silence the timers: another one is sent, and its return rings the alarm', () => {
  const clock = alarm();
  clock.set(1000, 'epoch');
  pass(0);
  pass(9_999);
  assert.equal(sent.length, 1);
  pass(1);
  assert.equal(sent.length, 2);
  pass(20_000);
  assert.equal(sent.length, 3, 'and another, after twice as long');
  assert.ok(clock.rings(message(sent[2] ?? '')));
  pass(100_000);
  assert.equal(sent.length, 3, 'and no more once it rang');
});

test('the first of several barriers to come back rings, and the others do not', () => {
  const clock = alarm();
  clock.set(1000, 'epoch');
  pass(0);
  pass(10_000);
  const [first = '', second = ''] = sent;
  assert.ok(clock.rings(message(first)), 'what was reported before the first one was read is enough');
  assert.ok(!clock.rings(message(second)));
  clock.set(now, 'epoch');
  pass(0);
  assert.ok(!clock.rings(message(second)), 'nor later');
  assert.ok(clock.rings(message(sent[2] ?? '')));
});

test('the barrier of an earlier owner is no input and does not ring', () => {
  const clock = alarm();
  clock.set(1000, 'mine');
  pass(0);
  const other = message('@barrier/other/1');
  assert.ok(clock.isBarrier(other));
  assert.ok(!clock.rings(other));
});

test('a record with such a key and a value is an input like any other', () => {
  assert.ok(!alarm().isBarrier(message('@barrier/mine/1', Buffer.from('event'))));
});

test('a barrier that cannot be sent is said, unless nobody waits for it any more', async () => {
  const clock = alarm(() => Promise.reject(new Error('no broker')));
  clock.set(1000, 'epoch');
  pass(0);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(failures.length, 1);
  const gone = alarm(() => Promise.reject(new Error('no broker')));
  gone.set(1000, 'epoch');
  pass(0);
  gone.clear();
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(failures.length, 1);
});

test('without a barrier it rings when it is due, and can be set again', () => {
  let rings = 0;
  const plain = new Alarm({
    now: () => now,
    sendBarrier: null,
    rang: () => {
      rings += 1;
    },
    failed: (error) => failures.push(error),
  });
  plain.set(now + 50, 'e');
  pass(49);
  assert.equal(rings, 0);
  pass(1);
  assert.equal(rings, 1);
  plain.set(now + 10, 'e');
  pass(10);
  assert.equal(rings, 2);
});
