import type { KafkaMessage } from 'kafkajs';

const barrierPrefix = '@barrier/';
/** The most that setTimeout takes; an earlier look does no harm. */
const longestTimeout = 2 ** 31 - 1;
/** When a barrier has not come back after so long, another is sent; milliseconds, twice as long each time. */
const barrierWaits = { first: 10_000, longest: 60_000 };

/**
 * Wakes a partition when its next timer is due, but not before everything is read that was reported until then: a
 * timer may be due only because the report that moves it still waits in the input. So a barrier goes through the input
 * first, and the alarm rings when the barrier comes back. One that is lost must not silence all timers: another is sent
 * after a while, and the first that comes back rings.
 */
export class Alarm {
  private readonly now: () => number;
  private readonly sendBarrier: ((key: string) => Promise<void>) | null;
  private readonly rang: () => void;
  private readonly failed: (error: unknown) => void;
  private timer: NodeJS.Timeout | null = null;
  private due: number | null = null;
  /** The barriers that are waited for: they begin with this, and are numbered from the first. */
  private awaited: { readonly prefix: string; readonly first: number } | null = null;
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
    if (this.awaited !== null || due === this.due) return;
    this.clear();
    if (due === null) return;
    this.due = due;
    const wait = Math.min(Math.max(0, due - this.now()), longestTimeout);
    this.timer = setTimeout(() => this.begin(`${barrierPrefix}${epoch}/`), wait);
  }

  private begin(prefix: string): void {
    this.clear();
    if (this.sendBarrier === null) return this.rang();
    const awaited = { prefix, first: this.sent + 1 };
    this.awaited = awaited;
    this.send(this.sendBarrier, awaited, barrierWaits.first);
  }

  private send(
    sendBarrier: (key: string) => Promise<void>,
    awaited: { readonly prefix: string },
    wait: number,
  ): void {
    sendBarrier(`${awaited.prefix}${++this.sent}`).catch((error: unknown) => {
      if (this.awaited === awaited) this.failed(error);
    });
    const next = Math.min(wait * 2, barrierWaits.longest);
    this.timer = setTimeout(() => this.send(sendBarrier, awaited, next), wait);
  }

  clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.due = null;
    this.awaited = null;
  }

  /** Whether a record is a barrier, ours or that of an earlier owner, and not an input. */
  isBarrier({ key, value }: KafkaMessage): boolean {
    return value === null && key?.toString().startsWith(barrierPrefix) === true;
  }

  /** Whether it is a barrier that is waited for. */
  awaits({ key }: KafkaMessage): boolean {
    const { awaited } = this;
    const text = key?.toString() ?? '';
    return (
      awaited !== null &&
      text.startsWith(awaited.prefix) &&
      Number(text.slice(awaited.prefix.length)) >= awaited.first
    );
  }

  /** True when it is a barrier that is waited for: the alarm rings, and waits for none any more. */
  rings(message: KafkaMessage): boolean {
    if (!this.awaits(message)) return false;
    this.clear();
    return true;
  }
}
