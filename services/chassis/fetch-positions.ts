import type { Batch } from 'kafkajs';
import type { FetchControl } from './partition-settings.ts';

/** Batches in a row from elsewhere than was asked for, until it is believed that the log is not what it was. */
const mostStrays = 8;

/**
 * What a batch of the client is: `next` goes on where reading was. A `stray` does not: it was fetched before the client
 * was put elsewhere, and taking it would skip inputs or repeat them. `gap`: the broker has nothing from before it any
 * more. `rewound`: the log begins anew, or ends before where reading was.
 */
export type BatchPlace = 'next' | 'stray' | 'gap' | 'rewound';

/** Where a batch was asked for from. (The client's types leave this field out.) */
export const fetchedOffset = (batch: Batch): number =>
  Number((batch as Batch & { readonly fetchedOffset: string }).fetchedOffset);

/** Where each input of a partition is read next. */
export class FetchPositions {
  private readonly next = new Map<string, number>();
  /** Topics of which nothing from the right place has come since the client was put there. */
  private readonly sought = new Set<string>();
  private readonly strays = new Map<string, number>();
  private readonly index: number;
  private readonly control: Pick<FetchControl, 'seek'>;

  constructor(index: number, control: Pick<FetchControl, 'seek'>) {
    this.index = index;
    this.control = control;
  }

  of(topic: string): number {
    return this.next.get(topic) ?? 0;
  }

  /** Puts the client there: from now on only a batch that begins there is taken. */
  seek(topic: string, offset: number): void {
    this.next.set(topic, offset);
    this.sought.add(topic);
    this.strays.delete(topic);
    this.control.seek(topic, this.index, offset);
  }

  /** Puts the client where reading was, whatever it thinks. */
  seekAll(): void {
    for (const [topic, offset] of this.next) this.seek(topic, offset);
  }

  /** A batch of records that was asked for from `from` and goes on at `to`. */
  judge(topic: string, from: number, to: number): BatchPlace {
    const expected = this.of(topic);
    if (from <= expected && to >= expected) {
      this.found(topic);
      return 'next';
    }
    if (this.isStray(topic, expected)) return 'stray';
    return from > expected ? 'gap' : 'rewound';
  }

  /** What is not from where reading was: the client is put back, a few times. */
  private isStray(topic: string, expected: number): boolean {
    const strays = (this.strays.get(topic) ?? 0) + 1;
    if (strays > mostStrays) {
      this.found(topic);
      return false;
    }
    this.sought.add(topic);
    this.control.seek(topic, this.index, expected);
    this.strays.set(topic, strays);
    return true;
  }

  /** Everything before it was taken. */
  moved(topic: string, to: number): void {
    if (to > this.of(topic)) this.next.set(topic, to);
  }

  /**
   * The client went past a batch in which it shows no record: control records, and aborted ones. `from` is the first
   * of them, null where that is not known. Compaction may have taken what was before it.
   */
  passed(topic: string, from: number | null, to: number): void {
    const expected = this.next.get(topic);
    if (expected === undefined || to <= expected) return;
    if (from !== null && from <= expected) this.found(topic);
    else if (this.sought.has(topic) && this.isStray(topic, expected)) return;
    this.next.set(topic, to);
  }

  private found(topic: string): void {
    this.sought.delete(topic);
    this.strays.delete(topic);
  }
}
