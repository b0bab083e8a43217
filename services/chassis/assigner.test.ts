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
          refused: fc.uniqueArray(fc.integer({ min: 0, max: 24 }), { maxLength: 6 }),
        }),
      ),
    ),
  );

test('every partition has one owner, and no member has two more than another', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 24 }), members, (partitions, drawn) => {
      const all = drawn.map((member) => ({ ...member, refused: [] }));
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
    { memberId: 'a', held: [], refused: [] },
    { memberId: 'b', held: [], refused: [] },
  ]);
  const heldBy = (id: string) =>
    [...before].filter(([, owner]) => owner === id).map(([partition]) => partition);
  const after = spread(12, [
    { memberId: 'a', held: heldBy('a'), refused: [] },
    { memberId: 'b', held: heldBy('b'), refused: [] },
    { memberId: 'c', held: [], refused: [] },
  ]);
  const moved = [...after].filter(([partition, owner]) => before.get(partition) !== owner);
  assert.equal(moved.length, 4);
  assert.ok(moved.every(([, owner]) => owner === 'c'));
});

test('two members that both claim a partition do not both get it', () => {
  const owners = spread(2, [
    { memberId: 'a', held: [0, 1], refused: [] },
    { memberId: 'b', held: [0, 1], refused: [] },
  ]);
  assert.deepEqual([...owners.values()].sort(), ['a', 'b']);
});

test('what a member refuses goes to others as long as there are some, and everything has one owner', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 24 }), members, (partitions, all) => {
      const owners = spread(partitions, all);
      assert.equal(owners.size, partitions);
      for (const [partition, owner] of owners) {
        const refuses = all.find(({ memberId }) => memberId === owner)?.refused.includes(partition);
        const willing = all.filter(({ refused }) => !refused.includes(partition));
        assert.ok(!refuses || willing.length === 0, `partition ${partition} went to ${owner}`);
      }
    }),
  );
});

test('a member that refuses what the other has to take gets others in its place', () => {
  const owners = spread(6, [
    { memberId: 'a', held: [0, 1, 2], refused: [0, 1, 2] },
    { memberId: 'b', held: [3, 4, 5], refused: [] },
  ]);
  const of = (id: string) =>
    [...owners].flatMap(([partition, owner]) => (owner === id ? [partition] : [])).sort();
  assert.deepEqual(
    [of('a'), of('b')],
    [
      [3, 4, 5],
      [0, 1, 2],
    ],
  );
});

test('who can run what another refuses keeps it, and one that nobody can run stays with one of them', () => {
  const held = [
    { memberId: 'a', held: [1], refused: [0] },
    { memberId: 'b', held: [0], refused: [] },
  ];
  assert.deepEqual(
    spread(2, held),
    new Map([
      [0, 'b'],
      [1, 'a'],
    ]),
  );
  const nobody = held.map((member) => ({ ...member, refused: [0] }));
  assert.equal(spread(2, nobody).size, 2);
});
