import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Troubles } from './troubles.ts';

let now = 0;
const troubles = () => new Troubles(() => now);

test('the first failure is tried again at once, the next ones after 200 ms to 5 s', () => {
  const some = troubles();
  const pauses = Array.from({ length: 8 }, () => {
    some.failed();
    return some.pauseMs;
  });
  assert.deepEqual(pauses, [0, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

test('what fails for 90 s, and three times, is hopeless; what has committed meanwhile begins anew', () => {
  const some = troubles();
  some.failed();
  now += 90_000;
  some.failed();
  assert.ok(!some.hopeless, 'a long restore is not many failures');
  some.failed();
  assert.ok(some.hopeless);
  some.over();
  assert.ok(!some.hopeless);
  assert.equal(some.lastingMs, 0);
  for (let i = 0; i < 20; i++) some.failed();
  assert.ok(!some.hopeless, 'many failures at once are no long time');
});

test('one failure is no lasting trouble; two are, until 30 s have passed without another', () => {
  const some = troubles();
  some.failed();
  assert.ok(!some.lasts);
  some.failed();
  assert.ok(some.lasts);
  now += 29_999;
  assert.ok(some.lasts);
  now += 1;
  assert.ok(!some.lasts);
});
