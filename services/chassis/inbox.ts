import type { KafkaMessage } from 'kafkajs';

export interface Fetched {
  readonly topic: string;
  readonly offset: number;
  readonly message: KafkaMessage;
}

/**
 * Above this a partition asks the broker for no more, until half of it is handled. Generous, because a client whose
 * partitions are all paused sleeps for a whole fetch wait before it looks again.
 */
export const mostRecords = 40_000;
export const mostBytes = 32 * 1024 * 1024;

/** Records that were fetched and whose turn has not come. First in, first out; bounded by pausing the fetch. */
export class Inbox {
  private items: Fetched[] = [];
  private head = 0;
  private bytes = 0;

  push(item: Fetched): void {
    this.items.push(item);
    this.bytes += item.message.value?.length ?? 0;
  }

  peek(): Fetched | undefined {
    return this.items[this.head];
  }

  /** Removes what `peek` shows. */
  shift(): void {
    const item = this.items[this.head];
    if (item === undefined) return;
    this.bytes -= item.message.value?.length ?? 0;
    this.head += 1;
    if (this.head === this.items.length) {
      this.items = [];
      this.head = 0;
    } else if (this.head >= 1024) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
  }

  /** Forgets what was fetched of a topic. */
  drop(topic: string): void {
    const kept = this.items.slice(this.head).filter((item) => item.topic !== topic);
    this.clear();
    for (const item of kept) this.push(item);
  }

  clear(): void {
    this.items = [];
    this.head = 0;
    this.bytes = 0;
  }

  get length(): number {
    return this.items.length - this.head;
  }

  get overfull(): boolean {
    return this.length >= mostRecords || this.bytes >= mostBytes;
  }

  get roomy(): boolean {
    return this.length <= mostRecords / 2 && this.bytes <= mostBytes / 2;
  }
}
