import type { Codec } from '#schemas/codec.ts';
import type { TopicNames } from '#topics/table.ts';
import type { Failure } from './failures.ts';
import type { Logger } from './log.ts';
import type { Processor } from './processor.ts';
import type { Publisher } from './publisher.ts';
import type { RetryPolicy } from './retry-policy.ts';
import type { Transactor } from './transactor.ts';

/** What a partition may ask of the consumer it belongs to. */
export interface FetchControl {
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  seek(topic: string, partition: number, offset: number): void;
  /** First offset that the log still has. */
  earliest(topic: string, partition: number): Promise<number>;
}

export interface PartitionSettings {
  readonly index: number;
  readonly processor: Processor;
  readonly control: FetchControl;
  readonly openTransactor: (transactionalIds: readonly string[]) => Transactor;
  readonly publisher: Publisher;
  readonly codec: Codec;
  readonly topics: TopicNames;
  readonly retries: RetryPolicy;
  readonly now: () => number;
  readonly log: Logger;
  /** Only another member can run it. */
  readonly refused: (failure: Failure) => void;
  readonly crash: (failure: Failure) => void;
}
