import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { planFrom } from './plan.ts';
import { defaultPolicy } from './policy.ts';
import { task } from './scenario.ts';

function refuses(tasks: readonly TaskSpec[], message: string | RegExp): void {
  assert.throws(() => planFrom(tasks, defaultPolicy), { code: 'invalid_plan', message });
}

const many = (count: number, make: (position: number) => TaskSpec) =>
  Array.from({ length: count }, (_, position) => make(position));

describe('plan', () => {
  it('names a cycle', () => {
    refuses(
      [task('z'), task('a', ['z', 'b']), task('b', ['c']), task('c', ['a']), task('d', ['a'])],
      'tasks: found a cycle of needs: a → b → c → a',
    );
    refuses([task('a', ['a'])], /tasks\[0\].needs of a: found itself; a cycle: a → a/);
  });

  it('names a need that is no task', () => {
    refuses(
      [task('a'), task('b', ['a', 'x'])],
      /^tasks\[1\].needs of b: found "x", expected the id of a task/,
    );
  });

  it('refuses ids and roles that cannot be', () => {
    refuses([task('a'), task('b'), task('a')], /^tasks\[2\].id: found "a" again, as in tasks\[0\]/);
    for (const id of ['', '-a', 'a b', 'a/b', '../a', 'ä', 'a'.repeat(129)]) {
      refuses([task(id)], /^tasks\[0\].id: found /);
    }
    for (const role of ['', 'a role', 'a/b', 'r'.repeat(65)]) {
      refuses([task('a', [], { role })], /^tasks\[0\].role of a: found /);
    }
    refuses(
      [task('a', [], { priority: 'urgent' })],
      /^tasks\[0\].priority of a: found "urgent", expected high/,
    );
  });

  it('refuses a wave that contradicts the needs', () => {
    refuses(
      [task('a', [], { wave: 2 }), task('b', ['a'], { wave: 2 })],
      'tasks[1].wave of b: found 2, expected from 3 to 2000, or 0 to derive it: it needs a of wave 2',
    );
    refuses([task('a', [], { wave: -1 })], /found -1/);
  });

  it('refuses too much', () => {
    refuses([], 'tasks: found 0, expected from 1 to 2000');
    refuses(
      many(2001, (i) => task(`t${i}`)),
      /^tasks: found 2001/,
    );
    const first = many(160, (i) => task(`a${i}`));
    const ids = first.map(({ id }) => id);
    refuses([...first, ...many(160, (i) => task(`b${i}`, ids))], /^tasks: found 25600 needs in all/);
    refuses([task('a', [], { description: 'x'.repeat(240_000) })], /bytes in all, .* 240000; .* workspace$/);
    refuses([task('a', [], { description: '務'.repeat(80_000) })], /^tasks: found 2400\d\d bytes in all/);
    refuses([task('b'), task('a', ['b', 'b'])], /^tasks\[1\].needs of a: found a task twice/);
    refuses([task('a', [], { timeout_ms: 1 })], /^tasks\[0\].timeout_ms of a: found 1, expected/);
    refuses([task('a', [], { max_attempts: 21 })], /^tasks\[0\].max_attempts of a: found 21, expected/);
  });

  it('derives waves and fills in defaults, whatever the order of the tasks', () => {
    const plan = planFrom(
      [task('d', ['b', 'c']), task('b', ['a']), task('c', [], { wave: 3, timeout_ms: 500 }), task('a')],
      defaultPolicy,
    );
    assert.deepEqual(
      plan.tasks.map(({ id, wave, timeout_ms, max_attempts }) => [id, wave, timeout_ms, max_attempts]),
      [
        ['d', 4, 600_000, 3],
        ['b', 2, 600_000, 3],
        ['c', 3, 500, 3],
        ['a', 1, 600_000, 3],
      ],
    );
    assert.deepEqual(plan.waves, [[], [3], [1], [2], [0]]);
    assert.deepEqual(plan.needs, [[1, 2], [3], [], []]);
    assert.deepEqual(plan.dependents, [[], [0], [0], [1]]);
    assert.equal(plan.index.get('c'), 2);
  });

  it('puts every task of any graph into a later wave than all it needs, and into the first it can', () => {
    const graph = fc
      .integer({ min: 1, max: 40 })
      .chain((size) =>
        fc.tuple(
          ...many(size, (i) => task(`t${i}`)).map((spec, i) =>
            fc.tuple(
              fc.constant(spec),
              fc.uniqueArray(fc.nat(Math.max(0, i - 1)), { maxLength: i === 0 ? 0 : 5 }),
            ),
          ),
        ),
      );
    fc.assert(
      fc.property(graph, (drawn) => {
        const plan = planFrom(
          drawn.map(([spec, needs]) => ({ ...spec, needs: needs.map((need) => `t${need}`) })),
          defaultPolicy,
        );
        plan.tasks.forEach(({ wave, needs }) => {
          const before = needs.map((id) => plan.tasks[plan.index.get(id) ?? -1]?.wave ?? Number.NaN);
          assert.equal(wave, 1 + Math.max(0, ...before));
        });
      }),
    );
  });
});
