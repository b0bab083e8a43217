import { replaceMethod } from './kafkajs-inside.ts';

/** One partition of an answer to Fetch, as kafkajs 2.2.4 has decoded it. Offsets and producers' ids are decimal strings. */
export interface FetchedPartition {
  readonly abortedTransactions: readonly AbortedTransaction[] | null;
  readonly messages: FetchedRecord[];
}

/** In the order in which they were aborted, as the broker's index of them is written. */
export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

export interface FetchedRecord {
  readonly offset: string;
  readonly key: Buffer | null;
  isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

interface Fetched {
  readonly responses: readonly { readonly partitions: FetchedPartition[] }[];
}
type Fetch = (this: object, asked: object) => Promise<Fetched>;

/**
 * kafkajs 2.2.4 shows records of aborted transactions to readers of committed ones wherever several producers write a
 * partition: it takes the broker's list to be sorted by first offset, and enters one transaction per record. So the
 * records are looked through as they arrive, and kafkajs gets no list to do it by. What was aborted passes as a control
 * record: kafkajs shows none of those, and reads on behind them.
 */
export function hideAbortedRecords(): void {
  replaceMethod<Fetch>(
    'kafkajs/src/broker',
    'fetch',
    (fetch) =>
      async function hiding(asked) {
        const fetched = await fetch.call(this, asked);
        const responses = fetched.responses.map((topic) => ({
          ...topic,
          partitions: topic.partitions.map((partition) => hideAborted(partition)),
        }));
        return { ...fetched, responses };
      },
  );
}

/** As `CompletedFetch` of Kafka's Java client does it, there by whole batches. */
export function hideAborted<Partition extends FetchedPartition>(partition: Partition): Partition {
  const { abortedTransactions, messages } = partition;
  if (abortedTransactions === null || abortedTransactions.length === 0) return partition;
  const toCome = abortedTransactions
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: BigInt(firstOffset) }))
    .sort((one, other) => (one.firstOffset < other.firstOffset ? 1 : -1));
  const aborting = new Set<string>();
  for (const record of messages) {
    const offset = BigInt(record.offset);
    for (let next = toCome.at(-1); next !== undefined && next.firstOffset <= offset; next = toCome.at(-1)) {
      aborting.add(next.producerId);
      toCome.pop();
    }
    const { producerId, inTransaction } = record.batchContext;
    if (record.isControlRecord) {
      if (record.key?.equals(abortMarker) === true) aborting.delete(producerId);
    } else if (inTransaction && aborting.has(producerId)) {
      record.isControlRecord = true;
    }
  }
  return { ...partition, abortedTransactions: [] };
}

/** Version 0 and type 0, of 16 bits each. */
const abortMarker = Buffer.alloc(4);
