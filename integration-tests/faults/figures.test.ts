import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { documentOf } from './document.ts';
import { type Figures, isClean, rowsOf } from './figures.ts';
import { growthOf } from './memory.ts';
import { parseOptions } from './options.ts';
import { seeded } from './random.ts';
import { percentile } from './recovery.ts';
import { shapeMission, shapeNames } from './shapes.ts';

test('the same seed makes the same missions, another one others', () => {
  const made = (seed: number) =>
    shapeNames.map((name, i) => shapeMission(`m${i}`, name, seeded(seed).fork(`mission-${i}`)));
  fc.assert(fc.property(fc.nat(), (seed) => assert.deepEqual(made(seed), made(seed))));
  assert.notDeepEqual(made(1), made(2));
});

test('what is asked of chance stays within bounds', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: -50, max: 50 }), fc.nat(50), (seed, least, more) => {
      const found = seeded(seed).int(least, least + more);
      assert.ok(found >= least && found <= least + more && Number.isInteger(found));
    }),
  );
});

test('a percentile is one of the samples, and none of none', () => {
  assert.equal(percentile([], 50), null);
  assert.equal(percentile([30, 10, 20], 50), 20);
  assert.equal(percentile([30, 10, 20], 99), 30);
});

test('what a process keeps is told from what waits to be collected', () => {
  // Each minute and a half most of what was added is collected.
  const life = (grow: number) =>
    Array.from({ length: 200 }, (_, i) => ({ at: i * 2, mb: 20 + (i / 30) * grow + (i % 45) / 5 }));
  assert.ok(Math.abs((growthOf(life(12)) ?? 0) - 12) < 2);
  assert.ok(Math.abs(growthOf(life(0)) ?? 100) < 2);
  assert.equal(growthOf(life(12).slice(0, 50)), null, 'too short to tell');
});

test('options that make no sense are refused, with what was expected', () => {
  assert.throws(() => parseOptions(['--seed', 'x']), /--seed: found x, expected a whole number/);
  assert.throws(() => parseOptions(['--quick']), { code: 'invalid_arguments' });
  assert.deepEqual(parseOptions(['--only', 'zombie,broker']).only, ['zombie', 'broker']);
});

const counts = { lost: 0, duplicated: 1, repeated: 4, stuck: 0, wrong: 0 };
const figures: Figures = {
  seed: 7,
  form: 'whole',
  started_at: '2030-01-02T03:04:05.000Z',
  seconds: 1800,
  machine: { cores: 2, memory_gb: 24, node: 'v24' },
  services: ['orchestrator'],
  total: {
    ...counts,
    missions: 5,
    facts: 50,
    steps_repeated: 1,
    submitted_twice: 1,
    dead_letters: 1,
    reviews_answered: 2,
    reconciled: 1,
    recovery_p50_ms: 700,
    recovery_p99_ms: 12_000,
    longest_stall_ms: 900,
  },
  faults: [
    {
      ...counts,
      fault: 'zombie',
      how: 'frozen',
      injected: { zombies: 20, not_taken_over: 0 },
      missions: 5,
      seconds: 20,
      recovery_p50_ms: null,
      recovery_p99_ms: null,
      longest_stall_ms: 900,
      model_calls_repeated: 0,
      tool_calls_repeated: 2,
      crashes: 0,
    },
  ],
  skipped: [{ fault: 'clock', reason: 'no library' }],
  violations: [],
  memory: { orchestrator: { peak_mb: 100, mb_per_minute: null } },
};

test('one duplicate is enough to fail, and what is repeated without effect is not', () => {
  assert.equal(isClean(figures.total), false);
  assert.equal(isClean({ ...counts, duplicated: 0 }), true);
});

test('the document says the date, the machine, what was found, and what was skipped', () => {
  const text = documentOf(figures);
  for (const part of ['2030-01-02', '2 cores', 'seed 7', 'duplicated 1', 'clock** was skipped: no library'])
    assert.ok(text.includes(part), part);
  for (const row of rowsOf(figures)) assert.equal(row.length, rowsOf(figures)[0]?.length);
});
