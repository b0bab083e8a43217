import { Failure } from './failures.ts';
import type { Logger } from './log.ts';
import type { Patience } from './partition-settings.ts';
import { type Refusal, refusalOf } from './refusals.ts';
import { Suspects } from './suspects.ts';
import type { Transaction } from './transaction.ts';
import { Troubles } from './troubles.ts';

/** What ran well for so long has no old troubles; milliseconds. */
const calmMs = 60_000;

export interface RecoverySettings {
  readonly log: Logger;
  readonly now: () => number;
  /** The monotonic clock. */
  readonly clock: (() => number) | undefined;
  readonly patience: Patience;
}

/**
 * What a partition knows of its failed commits, over all the times that it is acquired again: which inputs are to be
 * tried alone or are to blame, how long to wait before the next try, and when to give up.
 */
export class Recovery {
  readonly suspects = new Suspects();
  /** Failures since the last commit. */
  readonly troubles: Troubles;
  /** Failures of the timers, since they last committed: inputs may commit in between. */
  private readonly timerTroubles: Troubles;
  private readonly to: RecoverySettings;
  private readonly clock: () => number;
  private acquiredAt = Number.NEGATIVE_INFINITY;
  /** Since when every failure was a refusal that a broker that is coming up may give, too. */
  private doubtedSince: number | null = null;
  /** Timers fire no earlier than this; epoch milliseconds. */
  timersFrom = 0;

  constructor(to: RecoverySettings) {
    this.to = to;
    this.clock = to.clock ?? (() => performance.now());
    this.troubles = new Troubles(this.clock);
    this.timerTroubles = new Troubles(this.clock);
  }

  /** Whether something fails again and again. */
  get failing(): boolean {
    return this.troubles.lasts || this.timerTroubles.lasts;
  }

  acquired(): void {
    this.acquiredAt = this.clock();
  }

  committed(transaction: Transaction): void {
    this.suspects.committed(transaction);
    this.troubles.over();
    this.doubtedSince = null;
    if (transaction.rang) this.timerTroubles.over();
  }

  /** What runs has failed, with this transaction if it was a commit. Answers whether there is no hope left. */
  failed(failure: Failure, transaction: Transaction | null): boolean {
    if (this.clock() - this.acquiredAt > calmMs) this.troubles.over();
    this.troubles.failed();
    const refusal = transaction === null ? null : refusalOf(failure);
    if (refusal === null || refusal.certain) this.doubtedSince = null;
    else this.doubtedSince ??= this.clock();
    if (refusal !== null && transaction !== null) this.blame(refusal, transaction);
    return this.troubles.hopeless || this.timerTroubles.hopeless;
  }

  /** The broker will never take this transaction: it is found out why. */
  private blame({ code, type, certain }: Refusal, transaction: Transaction): void {
    const { log, now, patience } = this.to;
    if (!certain && this.clock() - (this.doubtedSince ?? 0) < patience.topicMs) return;
    const reason = new Failure(code, `the broker refuses what came of it: ${type}; ${transaction.summary()}`);
    const culprit = this.suspects.refused(transaction, reason);
    if (culprit === 'timers') {
      this.timerTroubles.failed();
      this.timersFrom = now() + Math.max(patience.timersMs, this.timerTroubles.pauseMs);
    }
    const { positions, inputs } = transaction;
    const fields = { code, error: reason.message, culprit, inputs, positions: Object.fromEntries(positions) };
    log.error(fields, 'a transaction was refused');
  }
}
