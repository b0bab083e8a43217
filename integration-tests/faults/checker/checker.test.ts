/** The checker is what everything else is judged by, so it is judged first: each lie must be told apart from the truth. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { MissionBook } from './mission-book.ts';
import { checkOutside } from './outside.ts';
import { Violations } from './violations.ts';
import type { Payload, Wired } from './wire.ts';

type Said = readonly [type: string, payload?: Payload, change?: Partial<Wired>];

const task = { task_id: 'a', attempt: 1, lease: 1 };
const plan: Said = [
  'plan_created',
  {
    tasks: [
      { id: 'a', needs: [] },
      { id: 'b', needs: ['a'] },
      { id: 'c', needs: ['a', 'b'], partial: true },
    ],
  },
];
const b = { task_id: 'b', attempt: 1, lease: 1 };
const c = { task_id: 'c', attempt: 1, lease: 1 };
const whole: readonly Said[] = [
  ['mission_accepted'],
  plan,
  ['task_assigned', task],
  ['task_started', task],
  ['task_completed', task],
  ['task_assigned', b],
  ['task_failed', b],
  ['task_assigned', c],
  ['task_completed', c],
  ['mission_completed'],
];

/** The kinds of what is found in a ledger that says this. */
function found(said: readonly Said[]): string[] {
  const violations = new Violations(() => {});
  const book = new MissionBook('m', 0, violations);
  let hash = '';
  said.forEach(([event_type, payload = {}, change = {}], i) => {
    const bytes = Buffer.from(`.....${i}`);
    const envelope = {
      schema: '',
      event_id: `m:${i + 1}`,
      source_agent: '',
      correlation_id: 'm',
      causation_id: '',
    };
    const place = { timestamp: 100, sequence: i + 1, previous_hash: hash };
    const fact = { ...envelope, event_type, ...place, payload, fields: {} };
    book.take({ ...fact, ...change }, bytes, 0);
    hash = createHash('sha256').update(bytes.subarray(5)).digest('hex');
  });
  return violations.all.map(({ kind }) => kind);
}

const replaced = (at: number, ...by: readonly Said[]): Said[] => whole.toSpliced(at, 1, ...by);

test('the truth is left alone', () => assert.deepEqual(found(whole), []));

test('a lease that nobody has begun may be sent again by a timer', () => {
  const cause = { causation_id: 'timer' };
  const again: readonly Said[] = [
    ['timer_fired', { ...task, timer: 'schedule_to_start', due_at: 50 }, cause],
    ['task_assigned', task, cause],
  ];
  assert.deepEqual(found(whole.toSpliced(3, 0, ...again)), []);
  assert.deepEqual(found(whole.toSpliced(4, 0, ...again)), ['duplicated'], 'somebody has');
});

const lies: Readonly<Record<string, readonly [readonly Said[], string]>> = {
  'a number that is missing': [replaced(3, ['task_started', task, { sequence: 5 }]), 'lost'],
  'a number that comes twice': [replaced(3, ['task_started', task, { sequence: 3 }]), 'duplicated'],
  'a broken chain': [replaced(3, ['task_started', task, { previous_hash: 'x' }]), 'wrong'],
  'an assignment twice': [replaced(2, ['task_assigned', task], ['task_assigned', task]), 'duplicated'],
  'a claim twice': [replaced(3, ['task_started', task], ['task_started', task]), 'duplicated'],
  'an end twice': [replaced(4, ['task_completed', task], ['task_completed', task]), 'duplicated'],
  'an end of another lease': [replaced(4, ['task_completed', { ...task, lease: 2 }]), 'wrong'],
  'a task before its needs': [replaced(4), 'wrong'],
  'the end of the mission twice': [[...whole, ['mission_completed']], 'duplicated'],
  'a fact after the end': [[...whole, ['task_cancelled', b]], 'wrong'],
  'a completed mission with an open task': [replaced(8), 'lost'],
  'a timer twice': [
    replaced(
      3,
      ['timer_fired', { ...b, timer: 'lease', due_at: 50 }],
      ['timer_fired', { ...b, timer: 'lease', due_at: 50 }],
    ),
    'duplicated',
  ],
  'a timer early': [replaced(3, ['timer_fired', { ...b, timer: 'lease', due_at: 500 }]), 'wrong'],
  'a timer of a task that has ended': [
    replaced(5, ['timer_fired', { ...task, timer: 'lease', due_at: 50 }]),
    'wrong',
  ],
};

for (const [name, [said, kind]] of Object.entries(lies)) {
  test(`${name} is ${kind}`, () => assert.ok(found(said).includes(kind), JSON.stringify(found(said))));
}

const stack: readonly Said[] = [
  ['mission_accepted'],
  ['plan_created', { tasks: ['a', 'b'].map((id) => ({ id, needs: [], compensation: {}, compensates: '' })) }],
  ['task_completed', { ...task, attempt: 0, lease: 0 }],
  ['task_completed', { ...b, attempt: 0, lease: 0 }],
  ['undoing_started'],
  ['compensation_completed', { task_id: 'undo-b', compensates: 'b' }],
  ['compensation_completed', { task_id: 'undo-a', compensates: 'a' }],
  ['mission_failed'],
];

test('what was done is undone, the last first', () => assert.deepEqual(found(stack), []));
test('an undoing in the order of doing', () =>
  assert.deepEqual(found(stack.with(5, stack[6] ?? ['']).with(6, stack[5] ?? [''])), ['wrong']));
test('an undoing that left something', () => assert.deepEqual(found(stack.toSpliced(6, 1)), ['wrong']));
test('an undoing twice', () =>
  assert.ok(found(stack.toSpliced(6, 0, stack[5] ?? [''])).includes('duplicated')));

const steps = [
  { task: 'a', step: 2, once: false },
  { task: 'a', step: 4, once: true },
];
const completed = [{ task: 'a', attempt: 1 }];

function outside(
  runs: Readonly<Record<string, readonly number[]>>,
  recorded: Readonly<Record<string, number>>,
) {
  const violations = new Violations(() => {});
  const all = [new Map(Object.entries(runs)), steps, completed, new Map(Object.entries(recorded))] as const;
  const repeated = checkOutside('m', ...all, violations);
  return { repeated, found: violations.all.map(({ kind }) => kind) };
}

test('outside: each step once', () =>
  assert.deepEqual(outside({ 'm/a/1/2': [10], 'm/a/1/4': [20] }, { 'm/a/1/2': 15 }), {
    repeated: 0,
    found: [],
  }));
test('outside: again, before its outcome was recorded', () =>
  assert.deepEqual(outside({ 'm/a/1/2': [10, 12], 'm/a/1/4': [20] }, { 'm/a/1/2': 15 }), {
    repeated: 1,
    found: [],
  }));
test('outside: again, after its outcome was recorded', () =>
  assert.deepEqual(outside({ 'm/a/1/2': [10, 90], 'm/a/1/4': [20] }, { 'm/a/1/2': 15 }).found, [
    'duplicated',
  ]));
test('outside: an effect that may happen only once', () =>
  assert.deepEqual(outside({ 'm/a/1/2': [10], 'm/a/1/4': [20, 21] }, {}).found, ['duplicated']));
test('outside: a step of a completed task that never ran', () =>
  assert.deepEqual(outside({ 'm/a/1/2': [10] }, {}).found, ['lost']));
