import { Failure } from '#chassis/failures.ts';

export interface WorkerClock {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds that only ever grow. */
  monotonic(): number;
}

export const systemClock: WorkerClock = { now: () => Date.now(), monotonic: () => performance.now() };

/** A moment on both clocks. */
export interface Instant {
  readonly wall: number;
  readonly monotonic: number;
}

export const instant = (clock: WorkerClock): Instant => ({ wall: clock.now(), monotonic: clock.monotonic() });

/**
 * The right to work on a task, as its holder sees it. Its age counts from when the last renewal that was acknowledged
 * was *sent*: the orchestrator has seen it later than that, so the holder always gives up first.
 */
export class Lease {
  readonly #ms: number;
  readonly #clock: WorkerClock;
  #since: Instant;

  constructor(ms: number, since: Instant, clock: WorkerClock) {
    this.#ms = ms;
    this.#since = since;
    this.#clock = clock;
  }

  /** By whichever clock says more: the monotonic one stands still while a machine sleeps, the other can be set back. */
  get age(): number {
    return Math.max(this.#clock.monotonic() - this.#since.monotonic, this.#clock.now() - this.#since.wall);
  }

  /** A third of it has passed. */
  get due(): boolean {
    return this.age >= this.#ms / 3;
  }

  /** Too old to begin anything under it: the last fifth (at least a second, at most half) is left as a margin. */
  get lost(): boolean {
    const margin = Math.min(Math.max(1_000, this.#ms / 5), this.#ms / 2);
    return this.age >= this.#ms - margin;
  }

  renewed(sent: Instant): void {
    if (sent.monotonic > this.#since.monotonic) this.#since = sent;
  }

  /** Throws `lease_lost`. */
  guard(): void {
    if (this.lost) throw lostAt(this.age, this.#ms);
  }
}

export const lostAt = (age: number, ms: number): Failure =>
  new Failure('lease_lost', `the lease of ${ms} ms was last renewed ${Math.round(age)} ms ago`);
