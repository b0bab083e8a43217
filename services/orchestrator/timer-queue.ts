import TinyQueue from 'tinyqueue';

interface Entry {
  readonly id: string;
  readonly due: number;
}

/** Entries that have been superseded, and are kept until there are more of them. */
const mostStale = 1024;

/** When the next timer of each mission comes due, and which mission is first. Times are epoch ms. */
export class TimerQueue {
  private readonly dueAt = new Map<string, number>();
  /** Also holds entries that have been superseded. They are passed over at the top, and dropped when they prevail. */
  private queue = new TinyQueue<Entry>([], byDue);

  /** Entries in memory, superseded ones included. */
  get length(): number {
    return this.queue.length;
  }

  /** Null: the mission has no timer. */
  set(id: string, due: number | null): void {
    if (due === null) {
      this.dueAt.delete(id);
      return;
    }
    if (this.dueAt.get(id) === due) return;
    this.dueAt.set(id, due);
    this.queue.push({ id, due });
    if (this.queue.length > 2 * this.dueAt.size + mostStale) {
      this.queue = new TinyQueue(
        [...this.dueAt].map(([of, at]) => ({ id: of, due: at })),
        byDue,
      );
    }
  }

  /** Null: no timer is set. */
  first(): Entry | null {
    for (let next = this.queue.peek(); next !== undefined; next = this.queue.peek()) {
      if (this.dueAt.get(next.id) === next.due) return next;
      this.queue.pop();
    }
    return null;
  }
}

const byDue = (a: Entry, b: Entry): number => a.due - b.due;
