import type { FetchControl } from './partition-settings.ts';

/**
 * Topics of a partition that wait until the record at their head is due. Such a topic is not fetched; the others go
 * on. Afterwards the client is put back to that record.
 */
export class Holds {
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly index: number;
  private readonly control: Pick<FetchControl, 'pause' | 'resume'>;

  constructor(index: number, control: Pick<FetchControl, 'pause' | 'resume'>) {
    this.index = index;
    this.control = control;
  }

  /** @param over Called when the record is due, to go on with it; fetching goes on when it answers true. */
  hold(topic: string, forMs: number, over: () => boolean): void {
    clearTimeout(this.timers.get(topic));
    this.control.pause(topic, this.index);
    const timer = setTimeout(() => {
      this.timers.delete(topic);
      if (over()) this.control.resume(topic, this.index);
    }, forMs);
    this.timers.set(topic, timer);
  }

  /** Whether its head is not due yet. */
  waits(topic: string): boolean {
    return this.timers.has(topic);
  }

  clear(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }
}
