import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { spread } from './assigner.ts';

const members = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((memberId) =>
        fc.record({
          memberId: fc.constant(memberId),
          held: fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 12 }),
        }),
      ),
    ),
  );

test('every partition has one owner, and no member has two more than another', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 24 }), members, (partitions, all) => {
      const owners = spread(partitions, all);
      assert.equal(owners.size, partitions);
      const loads = all.map(
        ({ memberId }) => [...owners.values()].filter((owner) => owner === memberId).length,
      );
      assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `loads ${loads}`);
    }),
  );
});

test('a member that joins moves only its share', () => {
  const before = spread(12, [
    { memberId: 'a', held: [] },
    { memberId: 'b', held: [] },
  ]);
  const heldBy = (id: string) =>
    [...before].filter(([, owner]) => owner === id).map(([partition]) => partition);
  const after = spread(12, [
    { memberId: 'a', held: heldBy('a') },
    { memberId: 'b', held: heldBy('b') },
    { memberId: 'c', held: [] },
  ]);
  const moved = [...after].filter(([partition, owner]) => before.get(partition) !== owner);
  assert.equal(moved.length, 4);
  assert.ok(moved.every(([, owner]) => owner === 'c'));
});

test('two members that both claim a partition do not both get it', () => {
  const owners = spread(2, [
    { memberId: 'a', held: [0, 1] },
    { memberId: 'b', held: [0, 1] },
  ]);
  assert.deepEqual([...owners.values()].sort(), ['a', 'b']);
});
