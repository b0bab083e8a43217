import { Failure } from './failures.ts';
import type { Logger } from './log.ts';

/**
 * Missions of one partition whose changelog contradicts itself. They are set aside, so that the others go on: what comes
 * for them is a dead letter or is passed over, nothing is written of them, and `ravenhelm doctor` names them.
 */
export class SetAside {
  private readonly partition: number;
  private readonly log: Logger;
  private readonly why = new Map<string, string>();

  constructor(partition: number, log: Logger) {
    this.partition = partition;
    this.log = log;
  }

  add(mission: string, why: string): void {
    this.why.set(mission, why);
    this.log.error(
      { mission, partition: this.partition, code: 'changelog_broken', error: why },
      'a mission is set aside',
    );
  }

  has(mission: string): boolean {
    return this.why.has(mission);
  }

  /** Throws Failure `changelog_broken` for a mission that is set aside. */
  check(mission: string): void {
    const why = this.why.get(mission);
    if (why !== undefined) throw new Failure('changelog_broken', why);
  }

  /** The mission has ended: nobody needs to look at it any more. */
  ended(mission: string): void {
    this.why.set(mission, '');
  }

  clear(): void {
    this.why.clear();
  }

  /** One line for each, for people. */
  problems(): string[] {
    return [...this.why].flatMap(([mission, why]) =>
      why === '' ? [] : [`changelog_broken: mission ${mission} of partition ${this.partition}: ${why}`],
    );
  }
}
