import type { Batch, KafkaMessage } from 'kafkajs';
import { Alarm } from './alarm.ts';
import { deadLetter } from './dead-letter.ts';
import { within } from './deadline.ts';
import { decodeRecord, needsSchema } from './decode-record.ts';
import { asFailure, type Failure } from './failures.ts';
import { Inbox } from './inbox.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';
import { outgoing } from './outbox.ts';
import type { PartitionSettings } from './partition-settings.ts';
import type { PartitionLogic } from './processor.ts';
import { epochKey, positionsKey, Restore } from './restore.ts';
import { stopPoint } from './stop-point.ts';
import { Transaction } from './transaction.ts';
import type { Transactor } from './transactor.ts';

/** How long facts that nobody waits for may wait for company, in milliseconds. */
const lazyMs = 4;
/** Acquisitions in a row that may fail before the process gives up and lets its supervisor start it again. */
const mostFailures = 8;

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
  private readonly alarm: Alarm;
  private state: State = 'acquiring';
  private logic: PartitionLogic | null = null;
  private restore: Restore | null = null;
  private transactor: Transactor | null = null;
  private transaction = new Transaction();
  /** The commit under way. Never rejects. */
  private committing: Promise<void> | null = null;
  private lazyTimer: NodeJS.Timeout | null = null;
  private loadingSchema = false;
  private paused = false;
  private failures = 0;
  /** When something last moved, for the watchdog; milliseconds of the monotonic clock. */
  private movedAt = performance.now();
  /** Next offset to be fetched, by input topic. */
  private readonly fetchPositions = new Map<string, number>();
  /** Position after the last committed record, by input topic. */
  readonly committedPositions = new Map<string, number>();

  constructor(settings: PartitionSettings) {
    const { processor, publisher, index } = settings;
    this.settings = settings;
    this.log = settings.log.child({ service: processor.service, partition: index });
    this.alarm = new Alarm({
      now: settings.now,
      async sendBarrier(key) {
        if (processor.barrierTopic === null) return;
        await publisher.send(processor.barrierTopic, [{ key, value: null, partition: index }]);
      },
      failed: (error) => this.fail(asFailure(error, 'commit_unknown')),
    });
  }

  get index(): number {
    return this.settings.index;
  }

  get running(): boolean {
    return this.is('running');
  }

  /** Asked through a method, because the state changes while something is awaited. */
  private is(state: State): boolean {
    return this.state === state;
  }

  /** Milliseconds since it last moved although it had something to do; 0 when it is idle or waits for room. */
  stalledFor(): number {
    if (this.is('closed')) return 0;
    const hasWork = this.inbox.length > 0 && this.logic?.ready() === true;
    const busy = this.is('acquiring') || this.committing !== null || hasWork;
    return busy ? performance.now() - this.movedAt : 0;
  }

  /** Takes the partition over. Never throws: what fails is tried again, and too many failures end the process. */
  async acquire(): Promise<void> {
    while (!this.is('closed')) {
      const started = performance.now();
      try {
        await this.acquireOnce();
        metrics.acquireSeconds.observe((performance.now() - started) / 1000);
        this.failures = 0;
        this.pump();
        return;
      } catch (error) {
        if (this.is('closed')) return;
        this.failures += 1;
        const { failures } = this;
        const failure = asFailure(error, 'commit_unknown');
        this.log.warn(
          { code: failure.code, error: failure.message, failures },
          'could not acquire partition',
        );
        if (failures >= mostFailures) return this.settings.crash(failure);
        await new Promise((done) => setTimeout(done, Math.min(100 * 2 ** failures, 5000)));
      }
    }
  }

  private async acquireOnce(): Promise<void> {
    const { processor, control, index, codec } = this.settings;
    const { stateTopic } = processor;
    this.movedAt = performance.now();
    this.pauseInputs();
    await this.committing;
    this.discard();
    await this.transactor?.close();
    if (this.is('closed')) return;

    const transactor = this.settings.openTransactor(processor.transactionalIds(index));
    this.transactor = transactor;
    await transactor.fence();
    stopPoint('fenced');

    const logic = processor.open(index);
    const restore = new Restore(logic, codec);
    this.logic = logic;
    this.restore = restore;
    control.seek(stateTopic, index, await control.earliest(stateTopic, index));
    const marker = { key: epochKey, value: Buffer.from(restore.marker), partition: index };
    await transactor.commit([outgoing(stateTopic, marker)]);
    control.resume(stateTopic, index);
    try {
      await restore.done();
    } finally {
      control.pause(stateTopic, index);
    }
    if (this.is('closed')) return;
    logic.restored();
    stopPoint('restored');

    await this.resumeInputs(restore.positions);
    if (this.is('closed')) return;
    this.state = 'running';
    this.movedAt = performance.now();
    this.log.info({ positions: restore.positions }, 'partition acquired');
  }

  private async resumeInputs(restored: Readonly<Record<string, number>>): Promise<void> {
    const { processor, control, index } = this.settings;
    for (const topic of processor.inputs) {
      const earliest = await control.earliest(topic, index);
      const position = restored[topic] ?? earliest;
      if (position < earliest) this.reportGap(topic, position, earliest);
      this.fetchPositions.set(topic, Math.max(position, earliest));
      this.committedPositions.set(topic, Math.max(position, earliest));
    }
    this.seekInputs();
    this.paused = false;
    for (const topic of processor.inputs) control.resume(topic, index);
  }

  /** After a rebalance that left the partition here, the client starts from the group's offsets, which lag behind. */
  seekInputs(): void {
    for (const [topic, position] of this.fetchPositions) {
      this.settings.control.seek(topic, this.index, position);
    }
  }

  private pauseInputs(): void {
    this.paused = true;
    for (const topic of this.settings.processor.inputs) this.settings.control.pause(topic, this.index);
  }

  private reportGap(topic: string, expected: number, found: number): void {
    metrics.inputGaps.inc({ topic }, found - expected);
    const fields = { code: 'input_gap', topic, expected, found };
    this.log.error(fields, 'records were deleted before they were read');
  }

  /** Takes what the client fetched; returns at once, so that no partition waits for another. */
  offer(batch: Batch): void {
    if (batch.topic === this.settings.processor.stateTopic) {
      this.movedAt = performance.now();
      this.restore?.take(batch.messages);
    } else if (this.is('running')) this.offerInputs(batch);
  }

  private offerInputs(batch: Batch): void {
    const { topic } = batch;
    const expected = this.fetchPositions.get(topic) ?? 0;
    // The client jumped, because the broker no longer had the offset. (Its types leave this field out.)
    const { fetchedOffset } = batch as Batch & { readonly fetchedOffset: string };
    if (Number(fetchedOffset) > expected) this.reportGap(topic, expected, Number(fetchedOffset));
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
    const position = this.fetchPositions.get(topic);
    if (this.is('running') && position !== undefined && next > position) this.fetchPositions.set(topic, next);
  }

  private announceSignal(topic: string, message: KafkaMessage): void {
    const { logic } = this;
    const { codec } = this.settings;
    if (logic?.signals === undefined || message.value === null) return;
    const name = codec.nameOf(message.value);
    if (name === null || !logic.signals.has(name)) return;
    try {
      logic.arrived?.(decodeRecord(topic, this.index, message, codec));
    } catch {
      // Its turn will come, and with it the dead letter.
    }
  }

  /** Handles what there is room for, and starts a commit when none is under way. Call it whenever something changed. */
  pump(): void {
    const { logic } = this;
    if (!this.is('running') || logic === null) return;
    this.handleInbox(logic);
    if (this.paused && this.inbox.roomy) {
      this.paused = false;
      for (const topic of this.settings.processor.inputs) this.settings.control.resume(topic, this.index);
    }
    this.alarm.set(logic.nextAlarm(), this.restore?.marker ?? '');
    if (this.committing !== null || this.transaction.empty) return;
    if (this.transaction.urgent || this.transaction.full) this.commit(logic);
    else this.lazyTimer ??= setTimeout(() => this.commitLazily(), lazyMs);
  }

  private handleInbox(logic: PartitionLogic): void {
    if (this.loadingSchema) return;
    for (let item = this.inbox.peek(); item !== undefined; item = this.inbox.peek()) {
      if (this.transaction.full || !logic.ready()) return;
      if (needsSchema(item.message, this.settings.codec)) {
        void this.loadSchema(item.message);
        return;
      }
      this.inbox.shift();
      this.movedAt = performance.now();
      this.handle(logic, item.topic, item.message);
      this.transaction.positions.set(item.topic, item.offset + 1);
    }
  }

  private handle(logic: PartitionLogic, topic: string, message: KafkaMessage): void {
    const { transaction } = this;
    const { codec, now } = this.settings;
    if (this.alarm.isBarrier(message)) {
      if (this.alarm.rings(message)) this.ring(logic);
      return;
    }
    transaction.begin();
    try {
      const urgency = logic.handle(decodeRecord(topic, this.index, message, codec), now(), transaction);
      if (urgency === 'urgent') transaction.urgent = true;
    } catch (error) {
      transaction.rollBack();
      this.bury(topic, message, asFailure(error, 'handler_failed'));
    }
  }

  private ring(logic: PartitionLogic): void {
    const now = this.settings.now();
    // Something that was read before the barrier may have moved the timer.
    if ((logic.nextAlarm() ?? Number.POSITIVE_INFINITY) > now) return;
    metrics.alarms.inc();
    logic.alarm(now, this.transaction);
    this.transaction.urgent = true;
  }

  /** Never blocks the partition, never drops the record: it goes to the dead letters in the same transaction. */
  private bury(topic: string, message: KafkaMessage, failure: Failure): void {
    const { deadLetterTopic, processor, now } = this.settings;
    const { code } = failure;
    const fields = { code, topic, offset: message.offset, error: failure.message };
    if (code === 'handler_failed') this.log.error({ ...fields, stack: failure.stack }, 'dead letter');
    else this.log.warn(fields, 'dead letter');
    metrics.deadLetters.inc({ code });
    const origin = { topic, partition: this.index, message };
    this.transaction.add(
      deadLetter({ topic: deadLetterTopic, service: processor.service, origin, failure, now: now() }),
    );
  }

  /** A schema that was registered after this process started. Decoding says it plainly when there is none. */
  private async loadSchema({ value }: KafkaMessage): Promise<void> {
    if (value === null) return;
    this.loadingSchema = true;
    try {
      await this.settings.codec.load(value, AbortSignal.timeout(10_000));
    } catch (error) {
      this.fail(asFailure(error, 'registry_unavailable'));
    } finally {
      this.loadingSchema = false;
      this.pump();
    }
  }

  private commitLazily(): void {
    this.lazyTimer = null;
    if (this.is('running') && this.logic !== null && this.committing === null && !this.transaction.empty) {
      this.commit(this.logic);
    }
  }

  private commit(logic: PartitionLogic): void {
    const { transaction, transactor } = this;
    if (transactor === null) return;
    this.stopLazyTimer();
    this.transaction = new Transaction();
    this.movedAt = performance.now();
    this.addState(transaction, logic);
    this.committing = this.commitWith(transactor, transaction);
  }

  private async commitWith(transactor: Transactor, transaction: Transaction): Promise<void> {
    const started = performance.now();
    try {
      await transactor.commit(transaction.records);
    } catch (error) {
      metrics.commits.inc({ outcome: 'failed' });
      this.committing = null;
      this.fail(asFailure(error, 'commit_unknown'));
      return;
    }
    metrics.commits.inc({ outcome: 'committed' });
    metrics.commitSeconds.observe((performance.now() - started) / 1000);
    metrics.commitRecords.observe(transaction.records.length);
    this.movedAt = performance.now();
    this.committing = null;
    for (const [topic, position] of transaction.positions) this.committedPositions.set(topic, position);
    transaction.announce(({ message, cause }) =>
      this.log.error({ error: message, cause: String(cause) }, 'after commit'),
    );
    this.pump();
  }

  private addState(transaction: Transaction, logic: PartitionLogic): void {
    const { stateTopic } = this.settings.processor;
    const partition = this.index;
    logic.conclude?.(transaction);
    for (const [key, value] of logic.changes()) transaction.send(stateTopic, { key, value, partition });
    const positions = Object.fromEntries([...this.committedPositions, ...transaction.positions]);
    const value = Buffer.from(JSON.stringify(positions));
    transaction.send(stateTopic, { key: positionsKey, value, partition });
  }

  /** The outcome of a transaction is unknown or the partition has a new owner: the changelog knows, memory does not. */
  private fail(failure: Failure): void {
    if (!this.is('running')) return;
    this.log.warn({ code: failure.code, error: failure.message }, 'acquiring the partition again');
    this.state = 'acquiring';
    void this.acquire();
  }

  private stopLazyTimer(): void {
    if (this.lazyTimer !== null) clearTimeout(this.lazyTimer);
    this.lazyTimer = null;
  }

  private discard(): void {
    this.inbox.clear();
    this.transaction = new Transaction();
    this.logic?.close();
    this.logic = null;
    this.restore = null;
    this.stopLazyTimer();
    this.alarm.clear();
  }

  /** Lets go of the partition: what is being committed may end, nothing new begins. */
  async close(deadlineMs: number): Promise<void> {
    if (this.is('closed')) return;
    this.state = 'closed';
    // A commit that succeeds still announces what it was for, so it comes before the logic is closed.
    await within(deadlineMs, this.committing);
    this.discard();
    await within(1000, this.transactor?.close());
  }
}
