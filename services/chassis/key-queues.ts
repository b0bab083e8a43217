import { z } from 'zod';
import { type RetryDelay, retryDelays, retryRetentionMs } from '#topics/table.ts';

/** Records of one key that wait for each other. They are numbered; who is not next goes behind. */
const Queue = z.object({
  /** The number whose turn it is. */
  next: z.number().int().positive(),
  /** The number that was given last. */
  last: z.number().int().positive(),
  /** Where the one whose turn it is waits: the others wait there, too, and so come back behind it. */
  delay: z.enum(retryDelays),
  moved_at: z.number(),
});
type Queue = z.output<typeof Queue>;

const prefix = '@behind/';
export const isQueueKey = (key: string): boolean => key.startsWith(prefix);
const nameOf = (topic: string, key: string) => `${prefix}${topic}/${key}`;

/**
 * Which keys have records waiting, in the changelog of the partition: so it is known again after a restart and after
 * a rebalance, and is never ahead of what was sent. Of a key it is two numbers, however many records wait.
 */
export class KeyQueues {
  private readonly queues = new Map<string, Queue>();
  private readonly changed = new Set<string>();

  restore(key: string, value: Buffer | null): void {
    if (value === null) this.queues.delete(key);
    else this.queues.set(key, Queue.parse(JSON.parse(value.toString())));
  }

  /**
   * What to do with a record: null, handle it now; else it goes behind the others of its key, under this number and
   * with this delay.
   *
   * @param place The number it was given before; null: none.
   */
  behind(
    topic: string,
    key: string,
    place: number | null,
    now: number,
  ): { place: number; delay: RetryDelay } | null {
    const name = nameOf(topic, key);
    const queue = this.queues.get(name);
    if (queue === undefined) return null;
    // Retention has taken what the others wait for.
    if (now - queue.moved_at > retryRetentionMs) {
      this.set(name, null);
      return null;
    }
    const known = place !== null && place >= 1 && place <= queue.last;
    if (known && place <= queue.next) return null;
    const { delay } = queue;
    if (known) return { place, delay };
    const last = queue.last + 1;
    this.set(name, { ...queue, last });
    return { place: last, delay };
  }

  /** It will be tried again after this delay. Answers its number among those of its key. */
  waits(topic: string, key: string, place: number | null, delay: RetryDelay, now: number): number {
    const name = nameOf(topic, key);
    const queue = this.queues.get(name) ?? { next: 1, last: 1 };
    this.set(name, { ...queue, delay, moved_at: now });
    return place !== null && place <= queue.next ? place : queue.next;
  }

  /** Whether others wait, or would wait, for this one. */
  isNext(topic: string, key: string, place: number | null): boolean {
    return place !== null && this.queues.get(nameOf(topic, key))?.next === place;
  }

  /** It was handled, or is a dead letter: the one behind it is next. */
  done(topic: string, key: string, place: number | null, now: number): void {
    const name = nameOf(topic, key);
    const queue = this.queues.get(name);
    if (queue === undefined || queue.next !== place) return;
    const next = queue.next + 1;
    this.set(name, next > queue.last ? null : { ...queue, next, moved_at: now });
  }

  private set(name: string, queue: Queue | null): void {
    if (queue === null) this.queues.delete(name);
    else this.queues.set(name, queue);
    this.changed.add(name);
  }

  *changes(): Iterable<readonly [key: string, value: Buffer | null]> {
    for (const name of this.changed) {
      const queue = this.queues.get(name);
      yield [name, queue === undefined ? null : Buffer.from(JSON.stringify(queue))];
    }
    this.changed.clear();
  }
}
