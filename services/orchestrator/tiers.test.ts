import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { taskSpec } from '#schemas/task-spec.ts';
import { decompose } from './decompose.ts';
import type { DraftTask } from './draft-task.ts';
import { planFrom } from './plan.ts';
import { defaultPolicy } from './policy.ts';
import { executivesFor, synthesizersFor, withTiers } from './tiers.ts';

const roles = { synthesizer: 'drummer', executive: 'camina', brief: 'Deploy the platform' };
const workers = (count: number, more: Partial<DraftTask> = {}): DraftTask[] =>
  Array.from({ length: count }, (_, at) => ({
    ...{ id: `t${at}`, role: 'developer', description: `do ${at}`, needs: at === 0 ? [] : [`t${at - 1}`] },
    ...more,
  }));
const above = (tasks: readonly DraftTask[]) => tasks.filter(({ kind }) => kind === 'synthesis');
const planOf = (tasks: readonly DraftTask[]) =>
  planFrom(
    tasks.map(({ id, role, description, needs, timeout_ms = 0 }) =>
      taskSpec({ id, role, description, needs, timeout_ms }),
    ),
    defaultPolicy,
  );

describe('tiers', () => {
  it('has a synthesizer for each five workers, and an executive above two or more', () => {
    const table = [1, 4, 5, 9, 10, 14, 15, 19, 20, 24, 25, 200].map((n) => [
      n,
      synthesizersFor(n),
      executivesFor(n),
    ]);
    assert.deepEqual(table, [
      [1, 0, 0],
      [4, 0, 0],
      [5, 1, 0],
      [9, 1, 0],
      [10, 2, 1],
      [14, 2, 1],
      [15, 3, 1],
      [19, 3, 1],
      [20, 4, 1],
      [24, 4, 1],
      [25, 5, 1],
      [200, 40, 1],
    ]);
    for (const [count = 0, drummers = 0, caminas = 0] of table) {
      const made = withTiers(workers(count), roles);
      const of = (role: string) => made.filter((task) => task.role === role).length;
      assert.deepEqual([of('developer'), of('drummer'), of('camina')], [count, drummers, caminas]);
    }
  });

  it('feeds each worker to one synthesizer, evenly and in order, and all of them to the executive', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 300 }), (count) => {
        const made = withTiers(workers(count), roles);
        const drummers = made.filter(({ role }) => role === 'drummer');
        assert.deepEqual(
          drummers.flatMap(({ needs }) => needs),
          workers(count).map(({ id }) => id),
        );
        const sizes = drummers.map(({ needs }) => needs.length);
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join(' '));
        const camina = made.find(({ role }) => role === 'camina');
        assert.deepEqual(camina?.needs, count < 10 ? undefined : drummers.map(({ id }) => id));
        for (const tier of above(made)) assert.equal(tier.partial, true);
        planOf(made);
      }),
      { numRuns: 60 },
    );
  });

  it('tells them what for, what of, and what to do with what is missing', () => {
    const made = above(withTiers(workers(10), roles));
    assert.deepEqual(
      made.map(({ id, timeout_ms }) => [id, timeout_ms]),
      [
        ['synthesis-1', 300_000],
        ['synthesis-2', 300_000],
        ['executive', 300_000],
      ],
    );
    assert.match(made[0]?.description ?? '', /5 of its 10 tasks:\n- t0 \(developer\): do 0\n/);
    assert.match(
      made[2]?.description ?? '',
      /- synthesis-1: t0 to t4, 5 tasks\n- synthesis-2: t5 to t9, 5 tasks\n/,
    );
    for (const { description } of made) {
      assert.match(description, /What the mission is for:\nDeploy the platform\n/);
      assert.match(
        description,
        /Failed and missing ones are named to you.*say in your answer what is missing/,
      );
    }
    const timed = above(
      withTiers(workers(10), { ...roles, synthesizer_timeout_ms: 1000, executive_timeout_ms: 2000 }),
    );
    assert.deepEqual(
      timed.map(({ timeout_ms }) => timeout_ms),
      [1000, 1000, 2000],
    );
  });

  it('takes ids that are free', () => {
    const given = workers(10).map((task, at) => {
      const id = ['synthesis-1', 'executive', 'synthesis-1-2'][at] ?? task.id;
      return { ...task, id, needs: [] };
    });
    assert.deepEqual(
      above(withTiers(given, roles)).map(({ id }) => id),
      ['synthesis-1-3', 'synthesis-2', 'executive-2'],
    );
  });

  it('leaves alone what is too small, or has tiers already', () => {
    assert.deepEqual(withTiers(workers(4), roles), workers(4));
    const once = withTiers(workers(12), roles);
    assert.deepEqual(withTiers(once, roles), once);
  });

  it('tells as much of the brief as the plan has room for', () => {
    for (const [count, length] of [
      [5, 300],
      [200, 800],
      [20, 8000],
      [900, 60],
    ] as const) {
      const given = workers(count, { description: '写'.repeat(length / 3), needs: [] });
      const made = withTiers(given, { ...roles, brief: '🐦'.repeat(32_000) });
      planOf(made);
      const bytes = Buffer.byteLength(JSON.stringify(made));
      assert.ok(bytes < 256 * 1024, `${count}: ${bytes} bytes`);
    }
    const roleNames = [{ name: 'developer' }];
    for (const letter of ['x', '写']) {
      const brief = letter.repeat(64_000);
      const { tasks } = decompose(brief, { roles: roleNames, agents: 15 });
      const made = withTiers(tasks, { ...roles, brief });
      planOf(made);
      for (const { description } of above(made)) assert.ok(description.includes(letter.repeat(1000)));
    }
    const short = above(withTiers(workers(20), { ...roles, brief: 'x'.repeat(20_000) }));
    for (const { description } of short) assert.ok(description.includes('x'.repeat(20_000)));
  });
});
