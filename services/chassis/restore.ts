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

const deadlineMs = 60_000;
const schemaDeadlineMs = 10_000;

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
  private readonly schemas: Promise<void>[] = [];
  private reached: (() => void) | null = null;
  private over = false;

  constructor(logic: PartitionLogic, aside: Pick<Aside, 'restore'>, codec: Codec) {
    this.logic = logic;
    this.aside = aside;
    this.codec = codec;
  }

  take(messages: readonly KafkaMessage[]): void {
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
    if (value !== null && !this.codec.knows(value)) {
      this.schemas.push(this.codec.load(value, AbortSignal.timeout(schemaDeadlineMs)));
    }
    this.logic.restore(key, value);
  }

  /** Waits for the marker, and for the schemas of all that was read. */
  async done(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((reached, late) => {
        if (this.over) return reached();
        this.reached = reached;
        const failure = new Failure('deadline_exceeded', `the state was not restored in ${deadlineMs} ms`);
        timer = setTimeout(() => late(failure), deadlineMs);
      });
    } finally {
      clearTimeout(timer);
      this.over = true;
    }
    await Promise.all(this.schemas);
  }

  private end(): void {
    this.over = true;
    this.reached?.();
  }
}
