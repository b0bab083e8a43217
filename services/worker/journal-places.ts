import { partitionOf } from '#chassis/partitioner.ts';
import type { Landed } from '#chassis/publisher.ts';

/**
 * Where journals are, in the steps topic. A journal begins somewhere behind the last step that this process knows to
 * have landed in its partition; a resume starts to read there.
 */
export class JournalPlaces {
  private readonly ends: number[];

  /** `ends`: the end of each partition of the steps topic when this process started. */
  constructor(ends: readonly number[]) {
    this.ends = [...ends];
  }

  /** The place that an assignment names, or that of a journal which is about to begin. */
  of(
    key: string,
    assigned: { readonly journal_partition: number; readonly journal_offset: number },
  ): { readonly partition: number; readonly offset: number } {
    if (assigned.journal_partition >= 0) {
      return { partition: assigned.journal_partition, offset: assigned.journal_offset };
    }
    const partition = partitionOf(key, this.ends.length);
    return { partition, offset: this.ends[partition] ?? 0 };
  }

  /** A step has landed: what is written from now on comes after it. */
  note(landed: readonly Landed[]): void {
    for (const { partition, baseOffset } of landed) {
      this.ends[partition] = Math.max(this.ends[partition] ?? 0, baseOffset);
    }
  }
}
