import type { Batch, KafkaMessage } from 'kafkajs';
import { Failure } from './failures.ts';
import { FetchPositions, fetchedOffset } from './fetch-positions.ts';
import { reportGap } from './gaps.ts';
import { Holds } from './holds.ts';
import { type Fetched, Inbox } from './inbox.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';
import type { EndedBatch, FetchControl } from './partition-settings.ts';

export interface InputsSettings {
  readonly index: number;
  readonly topics: readonly string[];
  readonly control: FetchControl;
  readonly log: Logger;
  /** A record was fetched; its turn has not come. */
  readonly arrived: (topic: string, message: KafkaMessage) => void;
}

/** The inputs of one partition: where each is read, and what was fetched and waits for its turn. */
export class Inputs {
  private readonly to: InputsSettings;
  private readonly inbox = new Inbox();
  private readonly holds: Holds;
  private readonly positions: FetchPositions;
  private paused = false;

  constructor(to: InputsSettings) {
    this.to = to;
    this.holds = new Holds(to.index, to.control);
    this.positions = new FetchPositions(to.index, to.control);
  }

  /** Reads on from here. */
  start(starts: ReadonlyMap<string, number>): void {
    for (const [topic, start] of starts) this.positions.seek(topic, start);
    this.resume();
  }

  /** After a rebalance that left the partition here, the client starts from the group's offsets, which lag behind. */
  seekAll(): void {
    this.positions.seekAll();
  }

  pause(): void {
    this.paused = true;
    for (const topic of this.to.topics) this.to.control.pause(topic, this.to.index);
  }

  private resume(): void {
    this.paused = false;
    for (const topic of this.to.topics)
      if (!this.holds.waits(topic)) this.to.control.resume(topic, this.to.index);
  }

  /** Fetching goes on once half of what was too much is handled. */
  resumeIfRoomy(): void {
    if (this.paused && this.inbox.roomy) this.resume();
  }

  /** Takes a batch that begins where reading was. Throws Failure `input_rewound` when the log does not go on there. */
  offer(batch: Batch): void {
    const { topic } = batch;
    if (this.holds.waits(topic)) return;
    const fetched = fetchedOffset(batch);
    const next = Number(batch.lastOffset()) + 1;
    const expected = this.positions.of(topic);
    switch (this.positions.judge(topic, fetched, next)) {
      case 'stray':
        return;
      case 'rewound':
        throw new Failure('input_rewound', `${topic}: found offset ${fetched}, expected ${expected}`);
      case 'gap':
        reportGap(this.to.log, topic, expected, fetched);
        break;
      case 'next':
    }
    metrics.records.inc({ topic }, batch.messages.length);
    for (const message of batch.messages) {
      const offset = Number(message.offset);
      if (offset < expected) continue;
      this.inbox.push({ topic, offset, message });
      this.to.arrived(topic, message);
    }
    this.positions.moved(topic, next);
    if (this.inbox.overfull && !this.paused) this.pause();
  }

  /**
   * The client is done with a batch, which it may not have offered: it skips those that are stale. Past one without a
   * record to show (control records, and aborted ones) it goes on by itself.
   */
  batchEnded(topic: string, batch: EndedBatch): void {
    if (batch.batchSize > 0 || this.holds.waits(topic)) return;
    const from = batch.firstOffset === null ? null : Number(batch.firstOffset);
    this.positions.passed(topic, from, Number(batch.lastOffset) + 1);
  }

  get length(): number {
    return this.inbox.length;
  }

  /** The record whose turn it is. */
  peek(): Fetched | undefined {
    return this.inbox.peek();
  }

  shift(): void {
    this.inbox.shift();
  }

  /** Its topic waits until the record is due, and is then read again from there. */
  hold({ topic, offset }: Fetched, forMs: number): void {
    this.inbox.drop(topic);
    this.holds.hold(topic, forMs, () => {
      this.positions.seek(topic, offset);
      return !this.paused;
    });
  }

  clear(): void {
    this.inbox.clear();
    this.holds.clear();
  }
}
