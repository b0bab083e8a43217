import type { KafkaMessage } from 'kafkajs';

const barrierPrefix = '@barrier/';
/** The most that setTimeout takes; an earlier look does no harm. */
const longestTimeout = 2 ** 31 - 1;

/**
 * Wakes a partition when its next timer is due, but not before everything is read that was reported until then: a
 * timer may be due only because the report that moves it still waits in the input. So a barrier goes through the input
 * first, and the alarm rings when the barrier comes back.
 */
export class Alarm {
  private readonly now: () => number;
  private readonly sendBarrier: ((key: string) => Promise<void>) | null;
  private readonly rang: () => void;
  private readonly failed: (error: unknown) => void;
  private timer: NodeJS.Timeout | null = null;
  private due: number | null = null;
  private barrier: string | null = null;
  private sent = 0;

  constructor(to: {
    readonly now: () => number;
    /** Null: it rings as soon as it is due, whatever was reported before. */
    readonly sendBarrier: ((key: string) => Promise<void>) | null;
    /** It rings without a barrier. */
    readonly rang: () => void;
    readonly failed: (error: unknown) => void;
  }) {
    this.now = to.now;
    this.sendBarrier = to.sendBarrier;
    this.rang = to.rang;
    this.failed = to.failed;
  }

  /** Rings at `due` (epoch milliseconds) and no longer at any other time; null: not at all. */
  set(due: number | null, epoch: string): void {
    if (this.barrier !== null || due === this.due) return;
    this.clear();
    if (due === null) return;
    this.due = due;
    const wait = Math.min(Math.max(0, due - this.now()), longestTimeout);
    this.timer = setTimeout(() => this.send(`${barrierPrefix}${epoch}/${++this.sent}`), wait);
  }

  private send(key: string): void {
    this.clear();
    if (this.sendBarrier === null) return this.rang();
    this.barrier = key;
    this.sendBarrier(key).catch((error: unknown) => {
      if (this.barrier === key) this.failed(error);
    });
  }

  clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.due = null;
    this.barrier = null;
  }

  /** Whether a record is a barrier, ours or that of an earlier owner, and not an input. */
  isBarrier({ key, value }: KafkaMessage): boolean {
    return value === null && key?.toString().startsWith(barrierPrefix) === true;
  }

  /** True when it is the barrier that is waited for: the alarm rings. */
  rings({ key }: KafkaMessage): boolean {
    if (this.barrier === null || key?.toString() !== this.barrier) return false;
    this.barrier = null;
    return true;
  }
}
