import type { FetchControl } from './partition-settings.ts';

/** Batches in a row from elsewhere than where a hold ended, until it is believed that the records are gone. */
const mostStrays = 8;

interface Hold {
  /** The record that is not due; reading goes on with it. */
  readonly offset: number;
  timer: NodeJS.Timeout | null;
  strays: number;
}

/**
 * Topics of a partition that wait until the record at their head is due. Such a topic is not fetched; the others go
 * on. Afterwards the client is put back to that record, and what it may have fetched ahead of it is not taken: it
 * would be a gap.
 */
export class Holds {
  private readonly held = new Map<string, Hold>();
  private readonly index: number;
  private readonly control: FetchControl;

  constructor(index: number, control: FetchControl) {
    this.index = index;
    this.control = control;
  }

  /** @param over Called when the record is due; fetching goes on when it answers true. */
  hold(topic: string, offset: number, forMs: number, over: () => boolean): void {
    this.end(topic);
    this.control.pause(topic, this.index);
    const hold: Hold = { offset, timer: null, strays: 0 };
    hold.timer = setTimeout(() => {
      hold.timer = null;
      this.control.seek(topic, this.index, offset);
      if (over()) this.control.resume(topic, this.index);
    }, forMs);
    this.held.set(topic, hold);
  }

  /** Whether its head is not due yet. */
  waits(topic: string): boolean {
    return (this.held.get(topic)?.timer ?? null) !== null;
  }

  /** Whether what the client has of it is from before, or not known to be from after. */
  isStray(topic: string, fetchedOffset: number): boolean {
    const hold = this.held.get(topic);
    if (hold === undefined) return false;
    if (hold.timer !== null) return true;
    if (fetchedOffset === hold.offset || hold.strays >= mostStrays) {
      this.held.delete(topic);
      return false;
    }
    hold.strays += 1;
    this.control.seek(topic, this.index, hold.offset);
    return true;
  }

  /** Until a batch from the right place has come, no position of the client's counts. */
  has(topic: string): boolean {
    return this.held.has(topic);
  }

  private end(topic: string): void {
    const timer = this.held.get(topic)?.timer ?? null;
    if (timer !== null) clearTimeout(timer);
    this.held.delete(topic);
  }

  clear(): void {
    for (const topic of [...this.held.keys()]) this.end(topic);
  }
}
