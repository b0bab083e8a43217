import { z } from 'zod';
import type { Logger } from '#chassis/log.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { taskKey } from './journal.ts';

/** A claim is remembered until the partition has come to records that were written so long after it; ms. */
const keepMs = 10 * 60 * 1000;
/** An assignment this part of its time to start old may already have been sent again. */
const lateShare = 5;
const prefix = 'claimed/';

const Claimed = z.object({
  attempt: z.number().int(),
  lease: z.number().int(),
  /** When it was claimed; epoch ms. */
  at: z.number(),
});
type Claimed = z.output<typeof Claimed>;

/**
 * Leases that were claimed in one partition of a role's tasks, by whoever had it then. The orchestrator sends an
 * assignment again when it hears of no start for long: both copies are in the same partition, one behind the other, and
 * only one of them may be run. A copy is sent only while nobody is known to have claimed, so only claims that come late
 * need to be remembered, and not for long.
 */
export class ClaimedLeases {
  private readonly scheduleToStartMs: number;
  private readonly log: Logger;
  private readonly claimed = new Map<string, Claimed>();
  private readonly changed = new Set<string>();

  constructor(scheduleToStartMs: number, log: Logger) {
    this.scheduleToStartMs = scheduleToStartMs;
    this.log = log;
  }

  restore(key: string, value: Buffer | null): void {
    if (!key.startsWith(prefix)) return;
    const task = key.slice(prefix.length);
    if (value === null) {
      this.claimed.delete(task);
      return;
    }
    try {
      this.claimed.set(task, Claimed.parse(JSON.parse(value.toString())));
    } catch (error) {
      this.log.error({ key, error: String(error) }, 'changelog: no claim, left out');
    }
  }

  /** Whether this very lease, or a later one of its task, was claimed before. */
  has({ correlation_id, payload }: EventOf<'task_assigned'>): boolean {
    const known = this.claimed.get(taskKey(correlation_id, payload.task_id));
    if (known === undefined || known.attempt < payload.attempt) return false;
    return known.attempt > payload.attempt || known.lease >= payload.lease;
  }

  /** It is being claimed. `sentAt`: when its record was written; epoch ms. */
  add({ correlation_id, payload, sequence }: EventOf<'task_assigned'>, sentAt: number, now: number): void {
    this.forgetOld(sentAt);
    // What is sent again stands in no chain.
    const late = sequence === 0 || now - sentAt >= this.scheduleToStartMs / lateShare;
    if (!late) return;
    const key = taskKey(correlation_id, payload.task_id);
    const { attempt, lease } = payload;
    this.claimed.delete(key);
    this.claimed.set(key, { attempt, lease, at: now });
    this.changed.add(key);
  }

  private forgetOld(reached: number): void {
    // The oldest come first.
    for (const [key, { at }] of this.claimed) {
      if (reached - at < keepMs) return;
      this.claimed.delete(key);
      this.changed.add(key);
    }
  }

  *changes(): Iterable<readonly [key: string, value: Buffer | null]> {
    for (const key of this.changed) {
      const claimed = this.claimed.get(key);
      yield [prefix + key, claimed === undefined ? null : Buffer.from(JSON.stringify(claimed))];
    }
    this.changed.clear();
  }
}
