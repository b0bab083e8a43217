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
  /** The first offset that the log still has, and the one that it gives out next. */
  ends(topic: string, partition: number): Promise<{ readonly low: number; readonly high: number }>;
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
  /** For tests, which cannot wait: the monotonic clock of failures, and how long what may pass is waited for. */
  readonly clock?: () => number;
  readonly patience?: Patience;
}

export interface Patience {
  /** A topic that is missing for so long is gone, and not only unknown to a broker that is coming up; milliseconds. */
  readonly topicMs: number;
  /** Timers whose transaction was refused fire again after this, at the earliest; milliseconds. */
  readonly timersMs: number;
  /** How often, and how far apart, a log is asked for its end that is shorter than what was read of it. */
  readonly rewindAsks: number;
  readonly rewindMs: number;
}

/** A leader that was just elected may not yet say how far its log is committed. */
export const usualPatience: Patience = { topicMs: 10_000, timersMs: 1000, rewindAsks: 40, rewindMs: 500 };

/** What the client says of a batch that it is done with. */
export interface EndedBatch {
  /** How many records it showed. */
  readonly batchSize: number;
  /** The first record in it, shown or not. */
  readonly firstOffset: string | null;
  readonly lastOffset: string;
}
