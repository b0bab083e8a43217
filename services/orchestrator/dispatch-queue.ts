import TinyQueue from 'tinyqueue';
import type { Priority } from '#schemas/types.gen.ts';

/** What waits to be sent to a role. */
export interface Waiting {
  /** The task: unique among what waits. */
  readonly key: string;
  readonly mission: string;
  /** When its mission began; epoch ms. */
  readonly began: number;
  readonly priority: Priority;
  /** It goes on with an attempt that has begun. */
  readonly resume: boolean;
}

/** How far a priority falls behind by one assignment: of 21 that a role takes, 16 are high, 4 normal and 1 low. */
const strides: Readonly<Record<Priority, number>> = { high: 1, normal: 4, low: 16 };
const priorities: readonly Priority[] = ['high', 'normal', 'low'];

/**
 * In which order one role is given what waits for it: resumes first; then, where all three priorities wait, of each 21
 * assignments 16 of high, 4 of normal and 1 of low priority; within a priority every other one to the mission that
 * began first, and those between to the missions in turn; within a mission as they came.
 */
export class DispatchQueue<T extends Waiting> {
  private readonly resumes = new Map<string, T>();
  private readonly classes: Readonly<Record<Priority, Missions<T>>> = {
    high: new Missions(),
    normal: new Missions(),
    low: new Missions(),
  };
  /** How far each priority is; the one that is least far is next. */
  private readonly reached: Record<Priority, number> = { high: 0, normal: 0, low: 0 };
  private now = 0;
  size = 0;

  push(item: T): void {
    this.size += 1;
    if (item.resume) {
      this.resumes.set(item.key, item);
      return;
    }
    const { priority } = item;
    const waiting = this.classes[priority];
    // Who had nothing to send has saved up nothing.
    if (waiting.size === 0) {
      this.reached[priority] = Math.max(this.reached[priority], this.now + strides[priority]);
    }
    waiting.push(item);
  }

  /** Takes the next one out; undefined: nothing waits. */
  shift(): T | undefined {
    for (const [key, item] of this.resumes) {
      this.resumes.delete(key);
      this.size -= 1;
      return item;
    }
    let next: Priority | null = null;
    for (const priority of priorities) {
      if (this.classes[priority].size === 0) continue;
      if (next === null || this.reached[priority] < this.reached[next]) next = priority;
    }
    if (next === null) return undefined;
    this.now = this.reached[next];
    this.reached[next] += strides[next];
    this.size -= 1;
    return this.classes[next].shift();
  }

  remove(item: T): void {
    if (this.resumes.delete(item.key) || this.classes[item.priority].remove(item)) this.size -= 1;
  }

  *values(): Iterable<T> {
    yield* this.resumes.values();
    for (const priority of priorities) yield* this.classes[priority].values();
  }
}

/** Lines that have become empty, and are kept until there are more of them. */
const mostEmpty = 1024;

interface Line<T> {
  readonly mission: string;
  readonly began: number;
  readonly items: Map<string, T>;
}

/** What waits with one priority, by mission. */
class Missions<T extends Waiting> {
  private readonly lines = new Map<string, Line<T>>();
  /** May still hold lines that have become empty: they are passed over. */
  private oldest = new TinyQueue<Line<T>>([], byAge);
  private turn: Line<T>[] = [];
  private head = 0;
  private toOldest = true;
  size = 0;

  push(item: T): void {
    let line = this.lines.get(item.mission);
    if (line === undefined) {
      line = { mission: item.mission, began: item.began, items: new Map() };
      this.lines.set(item.mission, line);
      if (this.oldest.length > 2 * this.lines.size + mostEmpty)
        this.oldest = new TinyQueue([...this.lines.values()], byAge);
      else this.oldest.push(line);
      this.turn.push(line);
    }
    line.items.set(item.key, item);
    this.size += 1;
  }

  shift(): T | undefined {
    const line = this.toOldest ? this.first() : this.nextInTurn();
    this.toOldest = !this.toOldest;
    for (const item of line?.items.values() ?? []) {
      this.remove(item);
      return item;
    }
    return undefined;
  }

  remove(item: T): boolean {
    const line = this.lines.get(item.mission);
    if (line?.items.delete(item.key) !== true) return false;
    this.size -= 1;
    if (line.items.size === 0) this.lines.delete(item.mission);
    return true;
  }

  *values(): Iterable<T> {
    for (const { items } of this.lines.values()) yield* items.values();
  }

  private first(): Line<T> | undefined {
    for (let line = this.oldest.peek(); line !== undefined; line = this.oldest.peek()) {
      if (line.items.size > 0) return line;
      this.oldest.pop();
    }
    return undefined;
  }

  private nextInTurn(): Line<T> | undefined {
    while (this.head < this.turn.length) {
      const line = this.turn[this.head];
      this.head += 1;
      if (this.head > mostEmpty && this.head * 2 > this.turn.length) {
        this.turn = this.turn.slice(this.head);
        this.head = 0;
      }
      if (line === undefined || line.items.size === 0) continue;
      this.turn.push(line);
      return line;
    }
    return undefined;
  }
}

const byAge = (a: Line<Waiting>, b: Line<Waiting>): number =>
  a.began - b.began || (a.mission < b.mission ? -1 : a.mission > b.mission ? 1 : 0);
