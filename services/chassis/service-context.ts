import type { Admin, Kafka } from 'kafkajs';
import type { Codec } from '#schemas/codec.ts';
import type { AgentPool } from '#schemas/types.gen.ts';
import type { TopicNames } from '#topics/table.ts';
import type { Config } from './config.ts';
import type { Consumer } from './consumer.ts';
import type { Failure } from './failures.ts';
import type { Logger } from './log.ts';
import type { Processor } from './processor.ts';
import type { Publisher } from './publisher.ts';
import type { RetryPolicy } from './retry-policy.ts';

/** All that a service is given. It opens nothing of this itself, and closes nothing of it. */
export interface ServiceContext {
  readonly config: Config;
  readonly topics: TopicNames;
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly publisher: Publisher;
  readonly codec: Codec;
  readonly log: Logger;
  /** Name of this process on health events and reports: service, host and pid. */
  readonly agent: string;
  readonly now: () => number;
  readonly retries: RetryPolicy;
  /** Ends the process with an error: for what only a fresh start can mend. */
  readonly crash: (failure: Failure) => void;
  /** Runs a processor as a member of its consumer group. */
  consume(processor: Processor): Promise<Consumer>;
}

export interface Service {
  ready(): boolean;
  /** Why it is not ready, where that does not pass by itself; empty or left out: nothing is known. */
  reason?(): string;
  /** What its health events say. */
  vitals(): {
    readonly roles: readonly string[];
    readonly running: number;
    readonly capacity: number;
    /** Of a worker: the same for each of its roles. */
    readonly pools?: readonly AgentPool[];
    /** What a person should look at, a line each; `ravenhelm doctor` shows them. */
    readonly problems?: readonly string[];
  };
  /** Takes nothing new, ends what it can until the deadline, gives the rest back. */
  stop(deadlineMs: number): Promise<void>;
}
