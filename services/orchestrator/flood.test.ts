import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, Priority, TaskSpec } from '#schemas/types.gen.ts';
import { PartitionPlay } from './partition-play.ts';

/** A flood in a time of its own: one role with four places, first in, first out, and tasks of 50 ms. */
const places = 4;
const taskMs = 50;

class Pool {
  readonly play: PartitionPlay;
  private readonly queue: EventOf<'task_assigned'>[] = [];
  private readonly running: { readonly task: EventOf<'task_assigned'>; readonly until: number }[] = [];
  private readonly begun = new Map<string, number>();
  readonly took = new Map<string, number>();
  private seen = 0;
  private seenFacts = 0;
  private missions = 0;

  constructor(outstanding: number) {
    this.play = new PartitionPlay({ roles: ['a'], outstanding });
  }

  submit(priority: Priority, tasks: readonly TaskSpec[]): string {
    const id = `m${this.missions++}`;
    this.begun.set(id, this.play.now);
    this.play.submit(id, { priority, tasks: [...tasks] });
    return id;
  }

  /** Until the next task ends; false: nothing runs. */
  step(): boolean {
    this.fetch();
    const next = this.running.shift();
    if (next === undefined) return false;
    this.play.now = Math.max(this.play.now, next.until);
    this.play.completed(next.task);
    this.fetch();
    for (const { value } of this.play.sent.slice(this.seenFacts)) {
      if (!('event_type' in value) || value.event_type !== 'mission_completed') continue;
      const id = value.correlation_id;
      this.took.set(id, this.play.now - (this.begun.get(id) ?? 0));
    }
    this.seenFacts = this.play.sent.length;
    return true;
  }

  private fetch(): void {
    for (;;) {
      const all = this.play.assignments();
      this.queue.push(...all.slice(this.seen));
      this.seen = all.length;
      if (this.running.length >= places) return;
      const task = this.queue.shift();
      if (task === undefined) return;
      this.play.started(task);
      this.running.push({ task, until: this.play.now + taskMs });
    }
  }

  until(id: string): number {
    while (!this.took.has(id)) assert.ok(this.step(), `${id} does not end`);
    return this.took.get(id) ?? 0;
  }
}

const chain = (length: number): TaskSpec[] =>
  Array.from({ length }, (_, i) => taskSpec({ id: `c${i}`, role: 'a', needs: i === 0 ? [] : [`c${i - 1}`] }));
const wide: TaskSpec[] = Array.from({ length: 5 }, (_, i) => taskSpec({ id: `t${i}`, role: 'a' }));

/** How long a new mission of three tasks takes in a flood of so many missions of low priority. */
function inFlood(missions: number, outstanding: number, priority: Priority): number {
  const pool = new Pool(outstanding);
  for (let i = 0; i < missions; i += 1) pool.submit('low', wide);
  pool.step();
  return pool.until(pool.submit(priority, chain(3)));
}

/** How long a mission of ten tasks in a row takes that so many of its own priority come after. */
function before(missions: number, outstanding: number): number {
  const pool = new Pool(outstanding);
  const mine = pool.submit('normal', chain(10));
  for (let i = 0; i < missions; i += 1) pool.submit('normal', wide);
  return pool.until(mine);
}

const unbounded = 1_000_000;

describe('a flood of missions', () => {
  it('slows what is more urgent by no more than what is outstanding, however large it is', () => {
    const alone = inFlood(0, places, 'high');
    for (const priority of ['high', 'normal'] as const) {
      const [small, large] = [inFlood(20, places, priority), inFlood(60, places, priority)];
      // A round of work that was sent before, and one that runs, for each of its three tasks.
      assert.ok(small <= 3.5 * alone, `${priority}: ${small} ms, ${alone} ms alone`);
      assert.ok(large <= 1.1 * small, `${priority}: ${large} ms in a flood of 60, ${small} ms in one of 20`);
    }
    const [small, large] = [inFlood(20, unbounded, 'high'), inFlood(60, unbounded, 'high')];
    assert.ok(large > 2 * small, 'without the bound it grows with the flood');
    assert.ok(large > 5 * inFlood(60, places, 'high'));
  });

  it('slows a mission that began before it by a factor, and not by its size', () => {
    const alone = before(0, places);
    const [small, large] = [before(20, places), before(60, places)];
    assert.ok(small <= 4 * alone, `${small} ms, ${alone} ms alone`);
    assert.ok(large <= 1.1 * small, `${large} ms before a flood of 60, ${small} ms before one of 20`);
    assert.ok(before(60, unbounded) > 1.5 * large, 'without the bound it waits behind the flood');
  });
});
