import { entryOf } from '#schemas/catalog.ts';
import type { RecordName } from '#schemas/types.gen.ts';
import type { ServiceName, TopicSpec } from './table.ts';

export const MiB = 1024 * 1024;
export const forever = -1;

/** A row of the table, as it is written there. */
export interface Row {
  readonly key: string;
  /** Records under subjects of their own name. */
  readonly records?: readonly RecordName[];
  readonly subjects?: readonly string[];
  readonly partitions?: number;
  readonly together?: string;
  readonly cleanup?: TopicSpec['cleanup'];
  readonly retentionMs?: number;
  readonly maxBytes?: number;
  readonly writers: readonly ServiceName[];
  readonly readers: readonly ServiceName[];
}

/** The row with all that it leaves out, and the settings that a broker holds its topic by. */
export function specOf(
  name: string,
  row: Row,
  defaults: { partitions: number; replication: number },
): TopicSpec {
  const { key, writers, readers, cleanup = 'delete', retentionMs = forever, maxBytes = MiB } = row;
  const { replication } = defaults;
  return {
    name,
    key,
    subjects: row.subjects ?? (row.records ?? []).map((record) => entryOf(record).fullName),
    partitions: row.partitions ?? defaults.partitions,
    replication,
    together: row.together ?? null,
    cleanup,
    retentionMs,
    config: {
      'cleanup.policy': cleanup,
      'max.message.bytes': String(maxBytes),
      'retention.ms': String(retentionMs),
      // As producers send it: a recompression in the broker costs it CPU.
      'compression.type': 'producer',
      ...(cleanup === 'delete' ? {} : compaction),
      // With one copy fewer than there are, so that one broker can be away; a single copy has nothing to wait for, whatever
      // the brokers want of others. Of two either is wrong for somebody: as the brokers have it.
      ...(replication === 2 ? {} : { 'min.insync.replicas': String(Math.max(1, replication - 1)) }),
    },
    writers,
    readers,
  };
}

/**
 * A restore reads the whole changelog, and only closed segments are compacted: small ones, closed early and cleaned
 * often, keep it near the size of the state. Tombstones stay for an hour, longer than any restore takes.
 */
const compaction = {
  'segment.bytes': String(16 * MiB),
  'segment.ms': String(10 * 60 * 1000),
  'min.cleanable.dirty.ratio': '0.1',
  'delete.retention.ms': String(60 * 60 * 1000),
};
