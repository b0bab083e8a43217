import type { IHeaders } from 'kafkajs';

/** A record on its way out, in the client's shape so that it is made once. */
export interface OutgoingRecord {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly message: {
    readonly key: string | Buffer | null;
    readonly value: Buffer | null;
    readonly partition?: number;
    readonly headers?: IHeaders;
    readonly timestamp?: string;
  };
}

/** What a service may put into the transaction of the record it handles. */
export interface Outbox {
  send(topic: string, record: Outgoing): void;
  /** Runs when the transaction has committed, and never otherwise. */
  afterCommit(run: () => void): void;
  /** Whether the transaction has as much as it should: what can wait is for the next one. */
  readonly full: boolean;
}

export interface Outgoing {
  /** Null: none, as people's tools write it. */
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  /** Chosen by murmur2 of the key when left out, as every Kafka client does. */
  readonly partition?: number;
  readonly headers?: IHeaders;
}

export function outgoing(topic: string, record: Outgoing): OutgoingRecord {
  const { key, value, partition, headers } = record;
  return {
    topic,
    partition,
    message: {
      key,
      value,
      ...(partition === undefined ? {} : { partition }),
      ...(headers === undefined ? {} : { headers }),
    },
  };
}
