import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { retryRetentionMs } from '#topics/table.ts';
import { KeyQueues } from './key-queues.ts';

/** What the next owner of the partition knows. */
function restored(queues: KeyQueues): KeyQueues {
  const next = new KeyQueues();
  for (const [key, value] of queues.changes()) next.restore(key, value);
  return next;
}

test('whatever fails how often, the records of a key are handled in their order, and then nothing waits', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }), fc.boolean(), (failures, restarts) => {
      let queues = new KeyQueues();
      const left = [...failures];
      const handled: number[] = [];
      let waiting = failures.map((_, id) => ({ id, place: null as number | null }));
      for (let round = 0; waiting.length > 0; round++) {
        assert.ok(round < 100, 'it ends');
        const back: typeof waiting = [];
        for (const { id, place } of waiting) {
          const behind = queues.behind('t', 'k', place, 0);
          if (behind !== null) back.push({ id, place: behind.place });
          else if ((left[id] ?? 0) > 0) {
            left[id] = (left[id] ?? 0) - 1;
            back.push({ id, place: queues.waits('t', 'k', place, '1s', 0) });
          } else {
            queues.done('t', 'k', place, 0);
            handled.push(id);
          }
        }
        if (restarts) queues = restored(queues);
        waiting = back;
      }
      assert.deepEqual(
        handled,
        failures.map((_, id) => id),
      );
      assert.equal(queues.behind('t', 'k', null, 0), null, 'a new record waits for nobody');
    }),
  );
});

test('another key, and the same key of another topic, wait for nobody', () => {
  const queues = new KeyQueues();
  queues.waits('t', 'k', null, '2s', 0);
  assert.deepEqual(queues.behind('t', 'k', null, 0), { place: 2, delay: '2s' });
  assert.equal(queues.behind('t', 'other', null, 0), null);
  assert.equal(queues.behind('u', 'k', null, 0), null);
});

test('what retention has taken is not waited for', () => {
  const queues = new KeyQueues();
  queues.waits('t', 'k', null, '2s', 0);
  assert.notEqual(queues.behind('t', 'k', null, retryRetentionMs), null);
  assert.equal(queues.behind('t', 'k', null, retryRetentionMs + 1), null);
});

test('the next owner of the partition knows who waits', () => {
  const queues = new KeyQueues();
  queues.waits('t', 'k', null, '4s', 0);
  assert.deepEqual(restored(queues).behind('t', 'k', null, 0), { place: 2, delay: '4s' });
});
