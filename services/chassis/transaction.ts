import { Failure } from './failures.ts';
import { type Outbox, type Outgoing, type OutgoingRecord, outgoing } from './outbox.ts';

/** Above this many records, or bytes, a transaction takes no more input: the next one does. */
export const mostRecords = 4000;
export const mostBytes = 8_000_000;

/** What one transaction will write: everything that came of the inputs that were handled since the last one. */
export class Transaction implements Outbox {
  readonly records: OutgoingRecord[] = [];
  /** Position after the last handled record, by input topic. */
  readonly positions = new Map<string, number>();
  urgent = false;
  private readonly committed: (() => void)[] = [];
  private bytes = 0;
  private mark = { records: 0, committed: 0, bytes: 0 };

  send(topic: string, record: Outgoing): void {
    this.add(outgoing(topic, record));
  }

  add(record: OutgoingRecord): void {
    this.records.push(record);
    this.bytes += record.message.value?.length ?? 0;
  }

  afterCommit(run: () => void): void {
    this.committed.push(run);
  }

  /** Remembers where the record that is about to be handled began. */
  begin(): void {
    this.mark = { records: this.records.length, committed: this.committed.length, bytes: this.bytes };
  }

  /** Takes back what the record that failed has sent. */
  rollBack(): void {
    this.records.length = this.mark.records;
    this.committed.length = this.mark.committed;
    this.bytes = this.mark.bytes;
  }

  get empty(): boolean {
    return this.positions.size === 0 && this.records.length === 0 && this.committed.length === 0;
  }

  get full(): boolean {
    return this.records.length >= mostRecords || this.bytes >= mostBytes;
  }

  /** Runs what waited for the commit. An error in there is a bug that must be seen, and must not stop the rest. */
  announce(failed: (failure: Failure) => void): void {
    for (const run of this.committed) {
      try {
        run();
      } catch (error) {
        failed(new Failure('internal_error', 'a step after the commit failed', { cause: error }));
      }
    }
  }
}
