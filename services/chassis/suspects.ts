import type { Failure } from './failures.ts';
import type { Transaction } from './transaction.ts';

/** Who is to blame for a transaction that the broker will never take. */
export type Culprit =
  /** One of several: they are tried one by one. */
  | 'one_of_them'
  /** An input: it is condemned, and becomes a dead letter. */
  | 'input'
  /** What the timers sent. It cannot be left out. */
  | 'timers'
  /** Neither: the dead letter itself was refused, or what every transaction writes. */
  | 'nobody';

/**
 * Finds the input to blame when a transaction is refused. Every input of it goes alone into its next transaction; the
 * one that is refused again is condemned. Inputs behind them are grouped as ever.
 */
export class Suspects {
  /** Inputs before this offset are suspects, by topic. */
  private readonly until = new Map<string, number>();
  private readonly verdicts = new Map<string, Failure>();
  private timers = false;

  /** A transaction was refused, for this reason. */
  refused(transaction: Transaction, reason: Failure): Culprit {
    const { positions, inputs, rang, condemned } = transaction;
    if (condemned) return 'nobody';
    if (rang) this.timers = true;
    if (inputs === 0) return rang ? 'timers' : 'nobody';
    if (!rang && inputs === 1) {
      const { topic, offset } = transaction.lastInput;
      this.verdicts.set(`${topic}/${offset}`, reason);
      return 'input';
    }
    for (const [topic, position] of positions) {
      this.until.set(topic, Math.max(position, this.until.get(topic) ?? 0));
    }
    return 'one_of_them';
  }

  committed({ positions, rang }: Transaction): void {
    for (const [topic, position] of positions) {
      if ((this.until.get(topic) ?? 0) <= position) this.until.delete(topic);
      for (const place of this.verdicts.keys()) {
        const slash = place.lastIndexOf('/');
        if (place.slice(0, slash) === topic && Number(place.slice(slash + 1)) < position)
          this.verdicts.delete(place);
      }
    }
    if (rang) this.timers = false;
  }

  /** Whether this input goes alone into its transaction. */
  has(topic: string, offset: number): boolean {
    return offset < (this.until.get(topic) ?? 0) || this.verdicts.has(`${topic}/${offset}`);
  }

  /** Why this input is a dead letter; null: it is handled. */
  verdict(topic: string, offset: number): Failure | null {
    return this.verdicts.get(`${topic}/${offset}`) ?? null;
  }

  /** Whether what the timers send goes alone. */
  get suspectsTimers(): boolean {
    return this.timers;
  }
}
