import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Priority } from '#schemas/types.gen.ts';
import { DispatchQueue, type Waiting } from './dispatch-queue.ts';

const priorities = ['high', 'normal', 'low'] as const;

let made = 0;
const item = (mission: string, priority: Priority = 'normal', more: Partial<Waiting> = {}): Waiting => ({
  key: `${mission}/${made++}`,
  mission,
  began: 0,
  priority,
  resume: false,
  ...more,
});

function queueOf(...items: readonly Waiting[]): DispatchQueue<Waiting> {
  const queue = new DispatchQueue<Waiting>();
  for (const each of items) queue.push(each);
  return queue;
}

function take(queue: DispatchQueue<Waiting>, most = Number.POSITIVE_INFINITY): Waiting[] {
  const taken: Waiting[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    taken.push(next);
    if (taken.length >= most) break;
  }
  return taken;
}

const many = (count: number, mission: string, priority: Priority, began = 0): Waiting[] =>
  Array.from({ length: count }, () => item(mission, priority, { began }));

const anyItem = fc.record({
  mission: fc.integer({ min: 0, max: 5 }),
  priority: fc.constantFrom(...priorities),
  resume: fc.boolean(),
});

describe('the order in which a role is given its assignments', () => {
  it('gives each once, whatever comes and goes', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), of: anyItem }),
      fc.record({ kind: fc.constant('shift' as const) }),
      fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = queueOf();
        const waiting = new Map<string, Waiting>();
        for (const each of steps) {
          if (each.kind === 'push') {
            const { mission, priority, resume } = each.of;
            const pushed = item(`m${mission}`, priority, { began: mission, resume });
            queue.push(pushed);
            waiting.set(pushed.key, pushed);
          } else if (each.kind === 'shift') {
            const next = queue.shift();
            assert.equal(next === undefined, waiting.size === 0);
            if (next !== undefined) assert.ok(waiting.delete(next.key), 'given twice, or taken back before');
          } else if (waiting.size > 0) {
            const [victim] = [...waiting.values()].slice(each.which % waiting.size);
            assert.ok(victim);
            queue.remove(victim);
            waiting.delete(victim.key);
          }
          assert.equal(queue.size, waiting.size);
        }
        assert.deepEqual(new Set(take(queue).map(({ key }) => key)), new Set(waiting.keys()));
      }),
    );
  });

  it('gives resumes first, in the order in which they came', () => {
    fc.assert(
      fc.property(fc.array(anyItem, { maxLength: 50 }), (items) => {
        const pushed = items.map(({ mission, priority, resume }) =>
          item(`m${mission}`, priority, { resume }),
        );
        const resumes = pushed.filter(({ resume }) => resume);
        assert.deepEqual(take(queueOf(...pushed)).slice(0, resumes.length), resumes);
      }),
    );
  });

  it('gives 16 of high, 4 of normal and 1 of low priority of each 21 while all three wait', () => {
    const queue = queueOf(...many(100, 'l', 'low'), ...many(100, 'n', 'normal'), ...many(100, 'h', 'high'));
    const counts = new Map<Priority, number>();
    for (const { priority } of take(queue, 21)) counts.set(priority, (counts.get(priority) ?? 0) + 1);
    assert.deepEqual(Object.fromEntries(counts), { high: 16, normal: 4, low: 1 });
  });

  it('lets what is more urgent overtake what has waited long', () => {
    const queue = queueOf(...many(50, 'l', 'low'));
    take(queue, 10);
    for (const each of many(10, 'h', 'high')) queue.push(each);
    assert.deepEqual(
      take(queue, 10).map(({ priority }) => priority),
      Array(10).fill('high'),
    );
  });

  it('gives something of a priority at least once in 21, however much of the others keeps coming', () => {
    const [most, share] = [21, { high: 16, normal: 4, low: 1 }];
    fc.assert(
      fc.property(
        fc.constantFrom(...priorities),
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 1, max: 5 }),
        (starved, before, position) => {
          const others = priorities.filter((priority) => priority !== starved);
          const queue = queueOf();
          const flood = () => others.forEach((priority) => queue.push(item('flood', priority)));
          for (let i = 0; i < 60; i += 1) flood();
          take(queue, before);
          const mine = many(position, 'mine', starved);
          for (const each of mine) queue.push(each);
          let taken = 0;
          for (let left = position; left > 0; taken += 1) {
            flood();
            if (queue.shift()?.mission === 'mine') left -= 1;
          }
          // One round more, because it may come in the middle of one.
          const rounds = Math.ceil(position / share[starved]) + 1;
          assert.ok(taken <= most * rounds, `${position} of ${starved} took ${taken}`);
        },
      ),
    );
  });

  it('gives the mission that began first every other one, however many come after it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 20 }), (flood, mine) => {
        const queue = queueOf(...many(mine, 'mine', 'normal', 1));
        for (let i = 0; i < flood; i += 1) for (const each of many(2, `f${i}`, 'normal', 2)) queue.push(each);
        const taken = take(queue);
        const last = taken.findLastIndex(({ mission }) => mission === 'mine');
        assert.ok(last <= 2 * mine, `the last of ${mine} came after ${last}`);
      }),
    );
  });

  it('gives every mission its turn, however much an older one wants', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), (missions) => {
        const queue = queueOf(...many(500, 'old', 'normal', 1));
        for (let i = 0; i < missions; i += 1) queue.push(item(`m${i}`, 'normal', { began: 2 }));
        const taken = take(queue, 2 * (missions + 1));
        assert.equal(taken.filter(({ mission }) => mission !== 'old').length, missions);
      }),
    );
  });

  it('keeps the order within a mission and a priority', () => {
    fc.assert(
      fc.property(fc.array(anyItem, { maxLength: 80 }), (items) => {
        const pushed = items.map(({ mission, priority }) => item(`m${mission}`, priority));
        const lines = Object.values(
          Object.groupBy(take(queueOf(...pushed)), ({ mission, priority }) => mission + priority),
        );
        for (const line of lines) {
          const numbers = (line ?? []).map(({ key }) => Number(key.split('/')[1]));
          assert.deepEqual(
            numbers,
            numbers.toSorted((a, b) => a - b),
          );
        }
      }),
    );
  });
});
