import { Failure } from '#chassis/failures.ts';
import { partitionOf } from '#chassis/partitioner.ts';
import { type FactEvent, isFact } from '#orchestrator/facts.ts';
import type { Connection } from './connection.ts';
import { readDecoded } from './read-decoded.ts';

export interface LedgerEntry {
  readonly fact: FactEvent;
  readonly partition: number;
  readonly offset: number;
}

export interface LedgerReading {
  /** Only this mission: then only its partition is read. */
  readonly mission: string | null;
  /** Only these, where `from` says which partitions to read. */
  readonly missions?: ReadonlySet<string>;
  /** First offset by partition; absent: all from the earliest. */
  readonly from?: ReadonlyMap<number, number>;
  readonly start?: 'earliest' | 'latest';
  readonly until: 'end' | 'follow';
  readonly signal: AbortSignal;
  /** Returns false to read no further. */
  readonly each: (entry: LedgerEntry) => boolean | void;
}

/** Where a mission's facts are now: its partition, and the offset that comes next there. */
export async function placeOfMission(
  connection: Connection,
  mission: string,
): Promise<{ readonly partition: number; readonly next: number }> {
  const offsets = await connection.offsets(connection.topics.coordination);
  const partition = partitionOf(mission, offsets.size);
  return { partition, next: offsets.get(partition)?.high ?? 0 };
}

/**
 * Reads the facts of the ledger, in order within a partition. A record that is no fact is passed over here: to find
 * those is the business of `verify`.
 */
export async function readLedger(connection: Connection, reading: LedgerReading): Promise<void> {
  const { mission, missions, until, start, signal, each } = reading;
  const from = reading.from ?? (await onlyIts(connection, mission));
  const what = {
    topic: connection.topics.coordination,
    until,
    signal,
    ...(from === undefined ? {} : { from }),
    ...(start === undefined ? {} : { start }),
  };
  await readDecoded(connection, what, ({ message, partition, offset }, decode) => {
    const key = message.key?.toString() ?? '';
    if (mission !== null && key !== mission) return true;
    if (missions?.has(key) === false) return true;
    const fact = factIn(decode);
    return fact === null ? true : each({ fact, partition, offset });
  });
}

async function onlyIts(
  connection: Connection,
  mission: string | null,
): Promise<ReadonlyMap<number, number> | undefined> {
  if (mission === null) return undefined;
  const { partition } = await placeOfMission(connection, mission);
  return new Map([[partition, 0]]);
}

function factIn(decode: () => { readonly decoded: { readonly value: unknown } }): FactEvent | null {
  try {
    const { value } = decode().decoded;
    const event = value as FactEvent;
    return isFact(event) ? event : null;
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}
