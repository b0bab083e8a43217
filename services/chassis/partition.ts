import { randomUUID } from 'node:crypto';
import type { Batch, KafkaMessage } from 'kafkajs';
import type { Codec } from '#schemas/codec.ts';
import { deadLetter } from './dead-letter.ts';
import { asFailure, Failure } from './failures.ts';
import { Inbox } from './inbox.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';
import { outgoing } from './outbox.ts';
import type { InputRecord, PartitionLogic, Processor } from './processor.ts';
import type { Publisher } from './publisher.ts';
import { Transaction } from './transaction.ts';
import type { Transactor } from './transactor.ts';

/** Keys that the chassis itself writes into a state topic or onto an input. */
const epochKey = '@epoch';
const positionsKey = '@positions';
const barrierPrefix = '@barrier/';

/** How long facts that nobody waits for may wait for company, in milliseconds. */
const lazyMs = 4;
/** Larger records belong into the workspace; they also stall reads of compacted topics (kafkajs issue 1072). */
const mostRecordBytes = 256 * 1024;
const acquireDeadlineMs = 60_000;
/** Acquisitions in a row that may fail before the process gives up and lets its supervisor start it again. */
const mostFailures = 8;

/** What a partition may ask of the consumer it belongs to. */
export interface FetchControl {
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  seek(topic: string, partition: number, offset: number): void;
  /** First offset that the log still has. */
  earliest(topic: string, partition: number): Promise<number>;
}

export interface PartitionSettings {
  readonly index: number;
  readonly processor: Processor;
  readonly control: FetchControl;
  readonly openTransactor: (transactionalIds: readonly string[]) => Transactor;
  readonly publisher: Publisher;
  readonly codec: Codec;
  readonly deadLetterTopic: string;
  readonly now: () => number;
  readonly log: Logger;
  readonly crash: (failure: Failure) => void;
}

type State = 'acquiring' | 'running' | 'closed';

/**
 * One partition of a service: the unit of processing, and the whole delivery contract.
 *
 * Acquire: fence the last owner, then write an epoch marker, then read the state changelog up to that marker, then go
 * on from the positions found there. Run: handle records in order; state, outputs and positions go into one
 * transaction; while it commits, the next one fills. After any error of a transaction nothing of it is believed: the
 * partition is acquired again, and the changelog says what happened.
 */
export class Partition {
  private readonly settings: PartitionSettings;
  private readonly log: Logger;
  private readonly inbox = new Inbox();
  private state: State = 'acquiring';
  private logic: PartitionLogic | null = null;
  private transactor: Transactor | null = null;
  private transaction = new Transaction();
  private committing: Promise<void> | null = null;
  private loading = false;
  private paused = false;
  private epoch = '';
  private markerSeen: (() => void) | null = null;
  private restoredPositions: Record<string, number> = {};
  private schemaLoads: Promise<void>[] = [];
  private failures = 0;
  private lazyTimer: NodeJS.Timeout | null = null;
  private alarmTimer: NodeJS.Timeout | null = null;
  private alarmAt: number | null = null;
  private barrier: string | null = null;
  /** Next offset to be fetched, by input topic. */
  private readonly fetchPositions = new Map<string, number>();
  /** Position after the last committed record, by input topic. */
  readonly committedPositions = new Map<string, number>();
  /** When something last moved, for the watchdog; milliseconds of the monotonic clock. */
  private movedAt = performance.now();

  constructor(settings: PartitionSettings) {
    this.settings = settings;
    this.log = settings.log.child({ service: settings.processor.service, partition: settings.index });
  }

  get index(): number {
    return this.settings.index;
  }

  get running(): boolean {
    return this.state === 'running';
  }

  /** Milliseconds since it last moved although it had something to do; 0 when it is idle or waits for room. */
  stalledFor(): number {
    const busy =
      this.state === 'acquiring' ||
      this.committing !== null ||
      (this.inbox.length > 0 && this.logic?.ready());
    return this.state !== 'closed' && busy ? performance.now() - this.movedAt : 0;
  }

  /** Takes the partition over. Never throws: what fails is tried again, and too many failures end the process. */
  async acquire(): Promise<void> {
    while (this.state !== 'closed') {
      const started = performance.now();
      try {
        await this.acquireOnce();
        if (this.is('closed')) return;
        metrics.acquireSeconds.observe((performance.now() - started) / 1000);
        this.failures = 0;
        this.pump();
        return;
      } catch (error) {
        if (this.is('closed')) return;
        this.failures += 1;
        const failure = asFailure(error, 'commit_unknown');
        this.log.warn(
          { code: failure.code, error: failure.message, failures: this.failures },
          'could not acquire partition',
        );
        if (this.failures >= mostFailures) {
          this.settings.crash(failure);
          return;
        }
        await new Promise((done) => setTimeout(done, Math.min(100 * 2 ** this.failures, 5000)));
      }
    }
  }

  /** Narrowing aid: the state changes while something is awaited. */
  private is(state: State): boolean {
    return this.state === state;
  }

  private async acquireOnce(): Promise<void> {
    const { processor, control, index } = this.settings;
    this.movedAt = performance.now();
    for (const topic of processor.inputs) control.pause(topic, index);
    this.discard();
    await this.transactor?.close();
    if (this.is('closed')) return;
    const transactor = this.settings.openTransactor(processor.transactionalIds(index));
    this.transactor = transactor;
    await transactor.fence();
    this.logic = processor.open(index);
    this.restoredPositions = {};
    this.schemaLoads = [];
    this.epoch = randomUUID();
    const reached = this.waitForMarker();
    try {
      // Where to read from is asked first: the marker must lie ahead of it.
      control.seek(processor.stateTopic, index, await control.earliest(processor.stateTopic, index));
      await transactor.commit([
        outgoing(processor.stateTopic, { key: epochKey, value: Buffer.from(this.epoch), partition: index }),
      ]);
      control.resume(processor.stateTopic, index);
      await reached.promise;
    } finally {
      reached.stop();
      control.pause(processor.stateTopic, index);
    }
    await Promise.all(this.schemaLoads);
    if (this.is('closed')) return;
    this.logic.restored();
    await this.resumeInputs();
    if (this.is('closed')) return;
    this.state = 'running';
    this.movedAt = performance.now();
    this.log.info({ positions: this.restoredPositions }, 'partition acquired');
  }

  private async resumeInputs(): Promise<void> {
    const { processor, control, index } = this.settings;
    for (const topic of processor.inputs) {
      const earliest = await control.earliest(topic, index);
      const stored = this.restoredPositions[topic];
      if (stored !== undefined && stored < earliest) this.reportGap(topic, stored, earliest);
      const position = Math.max(stored ?? earliest, earliest);
      this.fetchPositions.set(topic, position);
      this.committedPositions.set(topic, position);
    }
    this.seekInputs();
    for (const topic of processor.inputs) control.resume(topic, index);
  }

  /** After a rebalance that left the partition here, the client starts from the group's offsets, which lag behind. */
  seekInputs(): void {
    for (const [topic, position] of this.fetchPositions) {
      this.settings.control.seek(topic, this.settings.index, position);
    }
  }

  private reportGap(topic: string, expected: number, found: number): void {
    metrics.inputGaps.inc({ topic }, found - expected);
    this.log.error(
      { code: 'input_gap', topic, expected, found },
      'records were deleted before they were read',
    );
  }

  private waitForMarker(): { promise: Promise<void>; stop: () => void } {
    let timer: NodeJS.Timeout | undefined;
    const promise = new Promise<void>((seen, failed) => {
      this.markerSeen = seen;
      timer = setTimeout(
        () =>
          failed(new Failure('deadline_exceeded', `the state was not restored in ${acquireDeadlineMs} ms`)),
        acquireDeadlineMs,
      );
    });
    return {
      promise,
      stop: () => {
        clearTimeout(timer);
        this.markerSeen = null;
      },
    };
  }

  /** Takes what the client fetched; returns at once, so that no partition waits for another. */
  offer(batch: Batch): void {
    if (batch.topic === this.settings.processor.stateTopic) this.offerState(batch.messages);
    else if (this.state === 'running') this.offerInputs(batch);
  }

  private offerState(messages: readonly KafkaMessage[]): void {
    this.movedAt = performance.now();
    for (const message of messages) {
      if (this.markerSeen === null || this.logic === null) return;
      const key = message.key?.toString() ?? '';
      if (key === epochKey) {
        if (message.value?.toString() === this.epoch) {
          this.markerSeen();
          this.markerSeen = null;
        }
      } else if (key === positionsKey) {
        this.restoredPositions = JSON.parse(message.value?.toString() ?? '{}');
      } else {
        const { codec } = this.settings;
        // State that an older version wrote.
        if (message.value !== null && !codec.knows(message.value)) {
          this.schemaLoads.push(codec.load(message.value, AbortSignal.timeout(10_000)));
        }
        this.logic.restore(key, message.value);
      }
    }
  }

  private offerInputs(batch: Batch): void {
    const { topic } = batch;
    const expected = this.fetchPositions.get(topic) ?? 0;
    const found = Number(batch.firstOffset() ?? expected);
    // The client jumped: the broker no longer had the offset. Offsets that only control records hold are no gap.
    if (Number((batch as Batch & { fetchedOffset: string }).fetchedOffset) > expected)
      this.reportGap(topic, expected, found);
    metrics.records.inc({ topic }, batch.messages.length);
    for (const message of batch.messages) {
      const offset = Number(message.offset);
      if (offset < expected) continue;
      this.inbox.push({ topic, offset, message });
      this.announceSignal(topic, message);
    }
    this.fetchPositions.set(topic, Number(batch.lastOffset()) + 1);
    if (this.inbox.overfull && !this.paused) this.pauseInputs();
    this.pump();
  }

  /** The client went past records that it does not show: control records and aborted ones. */
  skipped(topic: string, next: number): void {
    if (this.state === 'running' && next > (this.fetchPositions.get(topic) ?? Number.POSITIVE_INFINITY)) {
      this.fetchPositions.set(topic, next);
    }
  }

  private announceSignal(topic: string, message: KafkaMessage): void {
    const { logic } = this;
    if (logic?.signals === undefined || message.value === null) return;
    const name = this.settings.codec.nameOf(message.value);
    if (name === null || !logic.signals.has(name)) return;
    try {
      logic.arrived?.(this.decode(topic, message));
    } catch {
      // Its turn will come, and with it the dead letter.
    }
  }

  private pauseInputs(): void {
    this.paused = true;
    for (const topic of this.settings.processor.inputs) this.settings.control.pause(topic, this.index);
  }

  /** Handles what there is room for, and starts a commit when none is under way. Call it whenever something changed. */
  pump(): void {
    if (this.state !== 'running') return;
    this.handleInbox();
    if (this.paused && this.inbox.roomy) {
      this.paused = false;
      for (const topic of this.settings.processor.inputs) this.settings.control.resume(topic, this.index);
    }
    this.setAlarm();
    if (this.committing !== null || this.transaction.empty) return;
    if (this.transaction.urgent || this.transaction.full) this.commit();
    else this.lazyTimer ??= setTimeout(() => this.commitLazily(), lazyMs);
  }

  private commitLazily(): void {
    this.lazyTimer = null;
    if (this.state === 'running' && this.committing === null && !this.transaction.empty) this.commit();
  }

  private handleInbox(): void {
    const { logic } = this;
    if (logic === null || this.loading) return;
    for (let item = this.inbox.peek(); item !== undefined; item = this.inbox.peek()) {
      if (this.transaction.full || !logic.ready()) return;
      const value = item.message.value;
      if (value !== null && value.length <= mostRecordBytes && !this.settings.codec.knows(value)) {
        void this.loadSchema(value);
        return;
      }
      this.inbox.shift();
      this.movedAt = performance.now();
      this.handleOne(logic, item.topic, item.message);
      this.transaction.positions.set(item.topic, item.offset + 1);
    }
  }

  private handleOne(logic: PartitionLogic, topic: string, message: KafkaMessage): void {
    const { transaction } = this;
    transaction.begin();
    try {
      const key = message.key?.toString() ?? null;
      if (key?.startsWith(barrierPrefix)) {
        if (key === this.barrier) this.fireAlarm(logic);
        return;
      }
      const urgency = logic.handle(this.decode(topic, message), this.settings.now(), transaction);
      if (urgency === 'urgent') transaction.urgent = true;
    } catch (error) {
      transaction.rollBack();
      this.bury(topic, message, asFailure(error, 'handler_failed'));
    }
  }

  /** Never blocks the partition, never drops the record: it goes to the dead letters in the same transaction. */
  private bury(topic: string, message: KafkaMessage, failure: Failure): void {
    const fields = { code: failure.code, topic, offset: message.offset, error: failure.message };
    if (failure.code === 'handler_failed')
      this.log.error({ ...fields, stack: failure.stack, cause: String(failure.cause) }, 'dead letter');
    else this.log.warn(fields, 'dead letter');
    metrics.deadLetters.inc({ code: failure.code });
    this.transaction.add(
      deadLetter({
        topic: this.settings.deadLetterTopic,
        service: this.settings.processor.service,
        origin: { topic, partition: this.index, message },
        failure,
        now: this.settings.now(),
      }),
    );
  }

  private decode(topic: string, message: KafkaMessage): InputRecord {
    const { value, key, headers } = message;
    if (value === null) throw new Failure('undecodable', 'found a record without a value, expected an event');
    if (value.length > mostRecordBytes) {
      throw new Failure(
        'record_too_large',
        `found ${value.length} bytes, expected at most ${mostRecordBytes}`,
      );
    }
    return {
      topic,
      partition: this.index,
      offset: Number(message.offset),
      key: key?.toString() ?? null,
      timestamp: Number(message.timestamp),
      traceparent: headers?.['traceparent']?.toString() ?? null,
      decoded: this.settings.codec.decode(value),
      bytes: value,
    };
  }

  /** A schema that was registered after this process started. Decoding says it plainly when there is none. */
  private async loadSchema(value: Buffer): Promise<void> {
    this.loading = true;
    try {
      await this.settings.codec.load(value, AbortSignal.timeout(10_000));
    } catch (error) {
      this.fail(asFailure(error, 'registry_unavailable'));
    } finally {
      this.loading = false;
      this.pump();
    }
  }

  private commit(): void {
    if (this.lazyTimer !== null) clearTimeout(this.lazyTimer);
    this.lazyTimer = null;
    const { transaction, transactor, logic } = this;
    if (transactor === null || logic === null) return;
    this.transaction = new Transaction();
    this.movedAt = performance.now();
    this.addState(transaction, logic);
    const started = performance.now();
    this.committing = transactor
      .commit(transaction.records)
      .then(() => {
        metrics.commits.inc({ outcome: 'committed' });
        metrics.commitSeconds.observe((performance.now() - started) / 1000);
        metrics.commitRecords.observe(transaction.records.length);
        this.movedAt = performance.now();
        this.committing = null;
        if (this.transactor !== transactor) return;
        for (const [topic, position] of transaction.positions) this.committedPositions.set(topic, position);
        transaction.announce((failure) =>
          this.log.error({ error: failure.message, cause: String(failure.cause) }, 'after commit'),
        );
        this.pump();
      })
      .catch((error: unknown) => {
        metrics.commits.inc({ outcome: 'failed' });
        this.committing = null;
        if (this.transactor === transactor) this.fail(asFailure(error, 'commit_unknown'));
      });
  }

  private addState(transaction: Transaction, logic: PartitionLogic): void {
    const { stateTopic } = this.settings.processor;
    const partition = this.index;
    for (const [key, value] of logic.changes()) transaction.send(stateTopic, { key, value, partition });
    const positions = Object.fromEntries([...this.committedPositions, ...transaction.positions]);
    transaction.send(stateTopic, {
      key: positionsKey,
      value: Buffer.from(JSON.stringify(positions)),
      partition,
    });
  }

  /** The outcome of a transaction is unknown or the partition has a new owner: the changelog knows, memory does not. */
  private fail(failure: Failure): void {
    if (this.state !== 'running') return;
    this.log.warn({ code: failure.code, error: failure.message }, 'acquiring the partition again');
    this.state = 'acquiring';
    void this.acquire();
  }

  private discard(): void {
    this.inbox.clear();
    this.transaction = new Transaction();
    this.logic?.close();
    this.logic = null;
    this.paused = false;
    this.barrier = null;
    if (this.lazyTimer !== null) clearTimeout(this.lazyTimer);
    this.lazyTimer = null;
    this.clearAlarm();
  }

  private clearAlarm(): void {
    if (this.alarmTimer !== null) clearTimeout(this.alarmTimer);
    this.alarmTimer = null;
    this.alarmAt = null;
  }

  private setAlarm(): void {
    if (this.barrier !== null) return;
    const due = this.logic?.nextAlarm() ?? null;
    if (due === this.alarmAt) return;
    this.clearAlarm();
    if (due === null) return;
    this.alarmAt = due;
    // setTimeout takes at most 2^31 − 1 ms; an earlier look does no harm.
    const wait = Math.min(Math.max(0, due - this.settings.now()), 2 ** 31 - 1);
    this.alarmTimer = setTimeout(() => void this.sendBarrier(), wait);
  }

  /**
   * A timer may be due only because the report that moves it has not been read yet. So a barrier goes through the
   * input first; when it comes back, everything that was reported before the timer came due has been handled.
   */
  private async sendBarrier(): Promise<void> {
    const { processor, publisher } = this.settings;
    this.clearAlarm();
    if (this.state !== 'running' || processor.barrierTopic === null) return;
    const barrier = `${barrierPrefix}${this.epoch}/${this.settings.now()}`;
    this.barrier = barrier;
    try {
      await publisher.send(processor.barrierTopic, [{ key: barrier, value: null, partition: this.index }]);
    } catch (error) {
      if (this.barrier === barrier) this.fail(asFailure(error, 'commit_unknown'));
    }
  }

  private fireAlarm(logic: PartitionLogic): void {
    this.barrier = null;
    const now = this.settings.now();
    if ((logic.nextAlarm() ?? Number.POSITIVE_INFINITY) > now) return;
    metrics.alarms.inc();
    logic.alarm(now, this.transaction);
    this.transaction.urgent = true;
  }

  /** Lets go of the partition: what is being committed may end, nothing new begins. */
  async close(deadlineMs: number): Promise<void> {
    if (this.state === 'closed') return;
    const last = this.committing ?? Promise.resolve();
    this.state = 'closed';
    this.discard();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((done) => {
      timer = setTimeout(done, deadlineMs);
    });
    await Promise.race([last, deadline]);
    clearTimeout(timer);
    await Promise.race([this.transactor?.close(), new Promise((done) => setTimeout(done, 1000).unref())]);
  }
}
