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
  /** It takes no more input: what it holds may be why a commit failed. */
  alone = false;
  /** How many inputs it holds, barriers not counted, and the last of them. */
  inputs = 0;
  lastInput = { topic: '', offset: -1 };
  /** Timers have fired into it. */
  rang = false;
  /** Its input was made a dead letter because what came of it was refused. */
  condemned = false;
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

  /** What it holds, for whoever looks for why it was refused. */
  summary(): string {
    const size = ({ message }: OutgoingRecord) => message.value?.length ?? 0;
    const [largest] = this.records.toSorted((a, b) => size(b) - size(a));
    const topics = [...new Set(this.records.map(({ topic }) => topic))].join(', ');
    return largest === undefined
      ? 'no records'
      : `${this.records.length} records to ${topics}, the largest of ${size(largest)} bytes to ${largest.topic}`;
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
