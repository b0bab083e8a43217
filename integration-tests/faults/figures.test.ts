import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { documentOf } from './document.ts';
import type { Fault } from './fault.ts';
import { type Figures, isClean, rowsOf } from './figures.ts';
import { allFaults, usualFaults } from './kinds/table.ts';
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
  brokers: 1,
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
    recovery_p50_from_fault_ms: 700,
    recovery_p99_from_fault_ms: 12_000,
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
      recovery_p50_from_fault_ms: null,
      recovery_p99_from_fault_ms: null,
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
  const text = documentOf(figures, '');
  for (const part of ['2030-01-02', '2 cores', 'seed 7', 'duplicated 1', 'clock** was skipped: no library'])
    assert.ok(text.includes(part), part);
  for (const brokers of [1, 3]) {
    const [head = [], ...rows] = rowsOf({ ...figures, brokers });
    assert.equal(head.includes('from the fault p50'), brokers === 3);
    for (const row of rows) assert.equal(row.length, head.length);
  }
});

test('a campaign writes its own part of the document anew, and leaves the other', () => {
  const one = documentOf(figures, '');
  const both = documentOf({ ...figures, brokers: 3, seed: 8 }, one);
  for (const part of ['## One broker', '## Three brokers', 'seed 7', 'seed 8', '--brokers 3 --write'])
    assert.ok(both.includes(part), part);
  assert.equal(documentOf({ ...figures, brokers: 3, seed: 8 }, both), both);
  const again = documentOf({ ...figures, seed: 9 }, both);
  assert.ok(again.includes('seed 9') && again.includes('seed 8') && !again.includes('seed 7'));
});

test('how much is tried depends on the form and the brokers', () => {
  const { brokers, form, times, missions } = parseOptions(['--brokers', '3']);
  assert.deepEqual(
    { brokers, form, times, missions },
    { brokers: 3, form: 'whole', times: 30, missions: 1000 },
  );
  assert.equal(parseOptions([]).brokers, 1);
  assert.equal(parseOptions(['--ci']).brokers, 3);
  assert.equal(parseOptions(['--brokers', '3', '--short']).times, 2);
  assert.throws(() => parseOptions(['--brokers', '2']), /--brokers: found 2, expected 1 or 3/);
});

test('a cluster has its eight faults, and those of services', () => {
  const names = (faults: readonly Fault[]) => faults.map(({ name }) => name);
  const eight =
    'none rolling-restart kill-broker leaders-moved leader-frozen broker-gone min-isr-lost lost-answers';
  assert.deepEqual(names(usualFaults(3, 'whole')), [
    ...eight.split(' '),
    'kill-orchestrator',
    'kill-worker',
    'zombie',
  ]);
  assert.deepEqual(names(usualFaults(3, 'short')), names(usualFaults(3, 'whole')));
  assert.deepEqual(names(usualFaults(3, 'ci')), [
    'kill-broker',
    'leaders-moved',
    'leader-frozen',
    'lost-answers',
  ]);
  for (const brokers of [1, 3] as const) {
    const all = names(allFaults(brokers));
    assert.equal(new Set(all).size, all.length, 'each name once');
  }
  assert.ok(!names(allFaults(3)).includes('broker') && !names(allFaults(1)).includes('kill-broker'));
});
