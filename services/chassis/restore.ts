import { randomUUID } from 'node:crypto';
import type { KafkaMessage } from 'kafkajs';
import { z } from 'zod';
import type { Codec } from '#schemas/codec.ts';
import type { Aside } from './aside.ts';
import { Failure } from './failures.ts';
import { isQueueKey } from './key-queues.ts';
import type { PartitionLogic } from './processor.ts';

/** Keys that the chassis itself writes into a state topic. */
export const epochKey = '@epoch';
export const positionsKey = '@positions';

const Positions = z.record(z.string(), z.number().int().nonnegative());

/** How long nothing of the changelog may come; milliseconds. A long one takes as long as it takes. */
const silenceMs = 60_000;

/**
 * One reading of a partition's changelog, up to the marker that this owner has written behind its fence: nothing that
 * an earlier owner wrote can come after it. (The end of the log would not do: it may be a control record, which no
 * reader sees.)
 */
export class Restore {
  /** Value of the marker record. */
  readonly marker = randomUUID();
  /** Positions after the last handled record, by input topic, as of the last committed transaction. */
  positions: Readonly<Record<string, number>> = {};
  private readonly logic: PartitionLogic;
  private readonly aside: Pick<Aside, 'restore'>;
  private readonly codec: Codec;
  /** Of each schema that is not loaded, a value that was written with it. */
  private readonly strange = new Map<number, Buffer>();
  private readonly reached = Promise.withResolvers<void>();
  private silence: NodeJS.Timeout | null = null;
  private over = false;

  constructor(logic: PartitionLogic, aside: Pick<Aside, 'restore'>, codec: Codec) {
    this.logic = logic;
    this.aside = aside;
    this.codec = codec;
  }

  take(messages: readonly KafkaMessage[]): void {
    if (this.silence !== null) this.listen();
    for (const { key, value } of messages) {
      if (this.over) return;
      const name = key?.toString() ?? '';
      if (name === epochKey) {
        if (value?.toString() === this.marker) this.end();
      } else if (name === positionsKey) {
        this.positions = Positions.parse(JSON.parse(value?.toString() ?? '{}'));
      } else if (isQueueKey(name)) {
        this.aside.restore(name, value);
      } else {
        this.takeState(name, value);
      }
    }
  }

  private takeState(key: string, value: Buffer | null): void {
    // An older version may have written it. What the registry does not have, decoding will name.
    if (value !== null && !this.codec.knows(value)) this.strange.set(value.readInt32BE(1), value);
    this.logic.restore(key, value);
  }

  /**
   * Waits for the marker. Answers values of which no schema is loaded: they are to be loaded before the state is used.
   * Throws Failure `deadline_exceeded` when nothing came for a minute, and `aborted` when it was given up.
   */
  async done(): Promise<readonly Buffer[]> {
    if (!this.over) this.listen();
    try {
      await this.reached.promise;
    } finally {
      this.hush();
      this.over = true;
    }
    return [...this.strange.values()];
  }

  /** Nobody waits for it any more. */
  giveUp(): void {
    this.fail(new Failure('aborted', 'the restore was given up'));
  }

  private listen(): void {
    this.hush();
    const failure = new Failure('deadline_exceeded', `nothing of the state came in ${silenceMs} ms`);
    this.silence = setTimeout(() => this.fail(failure), silenceMs);
  }

  private hush(): void {
    if (this.silence !== null) clearTimeout(this.silence);
    this.silence = null;
  }

  private fail(failure: Failure): void {
    this.reached.reject(failure);
    // Where nobody waits, nobody needs to know.
    this.reached.promise.catch(() => undefined);
  }

  private end(): void {
    this.over = true;
    this.reached.resolve();
  }
}
