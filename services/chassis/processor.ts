import type { KafkaMessage } from 'kafkajs';
import type { Decoded } from '#schemas/codec.ts';
import type { RecordName } from '#schemas/types.gen.ts';
import type { Failure } from './failures.ts';
import type { Outbox } from './outbox.ts';

/** A decoded record of an input topic. */
export interface InputRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  /** Milliseconds since 1970, from the broker or the producer as the topic is set. */
  readonly timestamp: number;
  /** W3C trace context, when the record carries it. */
  readonly traceparent: string | null;
  readonly decoded: Decoded;
  readonly bytes: Buffer;
  /** It came from another partition, and is not passed on again. */
  readonly forwarded?: boolean;
}

/** A record as it came. */
export interface RawRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly message: KafkaMessage;
}

/** `urgent`: somebody waits for what came of the record. `lazy`: it may wait a few milliseconds for company. */
export type Urgency = 'urgent' | 'lazy';

/**
 * A service that reads co-partitioned inputs, keeps state and writes facts. The chassis makes one
 * {@link PartitionLogic} for each partition it is given.
 */
export interface Processor {
  /** Names the consumer group, the transactional ids and the state topic. */
  readonly service: string;
  readonly inputs: readonly string[];
  readonly stateTopic: string;
  /** Inputs that are not decoded: whatever was put aside. */
  readonly raw?: ReadonlySet<string>;
  /** The input on which a barrier travels before an alarm fires; null for a service without alarms, or
   * whose alarms need not wait for what was reported before. */
  readonly barrierTopic: string | null;
  /** Transactional ids that take turns in a partition: two where transactions follow each other closely. */
  readonly transactionalIds: (partition: number) => readonly string[];
  open(partition: number): PartitionLogic;
  /** Asked before an error ends the process. True: the service goes on without this processor. */
  survives?(failure: Failure): Promise<boolean>;
}

/** What a service does in one partition. Nothing here waits, and nothing here reads a clock. */
export interface PartitionLogic {
  /** One record of the state changelog, in order; the last of a key counts. A null value forgets the key. */
  restore(key: string, value: Buffer | null): void;
  /** All state is there. */
  restored(now: number): void;
  /** Whether there is room for one more record. */
  ready(): boolean;
  /** Records of these names are shown to `arrived` as soon as they are fetched, and again when it is their turn. */
  readonly signals?: ReadonlySet<RecordName>;
  /** A signal that must not queue behind work. */
  arrived?(record: InputRecord): void;
  /**
   * Takes one record. Either it changes state and sends, or it throws a Failure, having changed nothing: then the
   * record goes to the dead letter topic.
   */
  handle(record: InputRecord, now: number, out: Outbox): Urgency;
  /** Takes one record of a raw input (`Processor.raw`), as `handle` does. */
  handleRaw?(record: RawRecord, now: number, out: Outbox): Urgency;
  /**
   * When a record may be handled at the earliest; epoch milliseconds, null: now. Until then nothing more of its topic
   * is read in this partition; the other inputs go on.
   */
  notBefore?(topic: string, message: KafkaMessage): number | null;
  /** When the next timer is due; epoch milliseconds. */
  nextAlarm(): number | null;
  /** Fires all that is due. Everything that was reported before has been handled. */
  alarm(now: number, out: Outbox): void;
  /** What the transaction as a whole has to send: called once, when it takes no more input. It must not throw. */
  conclude?(out: Outbox): void;
  /** State that changed since it was last asked for; null forgets a key. */
  changes(): Iterable<readonly [key: string, value: Buffer | null]>;
  close(): void;
}
