import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TimerQueue } from './timer-queue.ts';

const step = fc.record({
  id: fc.integer({ min: 0, max: 9 }).map(String),
  due: fc.option(fc.integer({ min: 0, max: 50 })),
});

test('whatever was set before, the first is the earliest of what is set now', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new TimerQueue();
      const model = new Map<string, number>();
      for (const { id, due } of steps) {
        queue.set(id, due);
        if (due === null) model.delete(id);
        else model.set(id, due);
        const earliest = model.size === 0 ? null : Math.min(...model.values());
        const first = queue.first();
        assert.equal(first?.due ?? null, earliest);
        if (first !== null) assert.equal(model.get(first.id), first.due);
      }
    }),
  );
});

test('a queue under load stays as small as what is set, whatever was set before', () => {
  const queue = new TimerQueue();
  queue.set('earliest', 0);
  for (let mission = 0; mission < 20_000; mission += 1) {
    const id = `m${mission}`;
    for (const due of [3, 2, 1]) queue.set(id, 1_000_000 + due);
    queue.set(id, null);
    assert.ok(queue.length <= 2 * 2 + 1024 + 1, `found ${queue.length} entries for at most 2 missions`);
  }
  assert.deepEqual(queue.first(), { id: 'earliest', due: 0 });
});
