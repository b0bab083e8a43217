/** Answers what people are asked: says yes, and of a call that may have happened looks outside whether it did. */
import type { Checker, Review } from './checker/checker.ts';
import { readOutside } from './checker/outside.ts';
import type { Feeder } from './feeder.ts';
import type { Random } from './random.ts';

/** Long enough for a command of a dead worker to have died with it. */
const lookAfterMs = 1500;
/** An answer may have been lost with whoever read it. */
const againAfterMs = 15_000;

export class Person {
  private readonly checker: Checker;
  private readonly feeder: Feeder;
  private readonly random: Random;
  private readonly outsideOf: (mission: string) => string;
  private readonly timer: NodeJS.Timeout;
  private readonly seen = new Map<string, { readonly at: number; answeredAt: number }>();
  answers = 0;
  reconciled = 0;

  constructor(checker: Checker, feeder: Feeder, random: Random, outsideOf: (mission: string) => string) {
    this.checker = checker;
    this.feeder = feeder;
    this.random = random;
    this.outsideOf = outsideOf;
    this.timer = setInterval(() => this.look(), 200);
  }

  private look(): void {
    const now = Date.now();
    for (const review of this.checker.reviews.values()) {
      const { review_id, mission, kind } = review;
      if (this.checker.missions.get(mission)?.end !== '') continue;
      let seen = this.seen.get(review_id);
      if (seen === undefined) {
        seen = { at: now, answeredAt: 0 };
        this.seen.set(review_id, seen);
      }
      if (now - seen.answeredAt < againAfterMs) continue;
      if (kind === 'reconcile' && now - seen.at < lookAfterMs) continue;
      seen.answeredAt = now;
      void this.answer(review);
    }
  }

  private async answer({ mission, review_id, kind, arguments_hash }: Review): Promise<void> {
    this.answers += 1;
    let decision = 'approved';
    if (kind === 'reconcile') {
      this.reconciled += 1;
      // <mission>/<task>/<attempt>/<step>/reconcile/<lease>
      const key = review_id.slice(0, review_id.indexOf('/reconcile/'));
      if ((await readOutside(this.outsideOf(mission))).has(key)) decision = 'happened';
    }
    const command = {
      event_type: 'review_completed',
      source_agent: 'person:campaign',
      correlation_id: mission,
      review_id,
      arguments_hash,
      decision,
      comment: 'as the campaign sees it',
    } as const;
    await this.feeder.send(command);
    // Sent again: an answer counts once.
    if (this.random.chance(0.2)) await this.feeder.send(command);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
