/** The most that is waited before another try; milliseconds. */
const longestPauseMs = 5000;
/** So long, and at least so often, it may fail until it is given up. A restart finds out what has changed. */
const giveUpAfterMs = 90_000;
const leastFailures = 3;
/** So long after its last failure what fails again and again is not believed to work. */
const doubtMs = 30_000;

/** Failures in a row, with nothing committed in between: how long to wait, and when to give up. */
export class Troubles {
  private readonly clock: () => number;
  private failures = 0;
  private since = 0;
  private last = 0;

  constructor(clock: () => number = () => performance.now()) {
    this.clock = clock;
  }

  failed(): void {
    this.last = this.clock();
    if (this.failures === 0) this.since = this.last;
    this.failures += 1;
  }

  over(): void {
    this.failures = 0;
  }

  get count(): number {
    return this.failures;
  }

  get lastingMs(): number {
    return this.failures === 0 ? 0 : this.clock() - this.since;
  }

  /** One failure says little, and is tried again at once. */
  get pauseMs(): number {
    return this.failures < 2 ? 0 : Math.min(100 * 2 ** (this.failures - 1), longestPauseMs);
  }

  /** Whether it fails again and again. */
  get lasts(): boolean {
    return this.failures >= 2 && this.clock() - this.last < doubtMs;
  }

  get hopeless(): boolean {
    return this.failures >= leastFailures && this.lastingMs >= giveUpAfterMs;
  }
}
