import type { Batch, KafkaMessage } from 'kafkajs';
import { untilAcquired } from './acquiring.ts';
import { Alarm } from './alarm.ts';
import { Aside } from './aside.ts';
import { within } from './deadline.ts';
import { decodeRecord, loadSchema, needsSchema } from './decode-record.ts';
import { asFailure, type Failure } from './failures.ts';
import { reportGap } from './gaps.ts';
import { Holds } from './holds.ts';
import { type Fetched, Inbox } from './inbox.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';
import { outgoing } from './outbox.ts';
import type { PartitionSettings } from './partition-settings.ts';
import type { PartitionLogic } from './processor.ts';
import { epochKey, positionsKey, Restore } from './restore.ts';
import { announceSignal } from './signals.ts';
import { stopPoint } from './stop-point.ts';
import { Transaction } from './transaction.ts';
import type { Transactor } from './transactor.ts';

/** How long facts that nobody waits for may wait for company, in milliseconds. */
const lazyMs = 4;

/** `refused`: it is ours, and only another version of the code can run it. */
type State = 'acquiring' | 'running' | 'refused' | 'closed';

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
  private readonly holds: Holds;
  private state: State = 'acquiring';
  private logic: PartitionLogic | null = null;
  private restore: Restore | null = null;
  private aside: Aside | null = null;
  private transactor: Transactor | null = null;
  private transaction = new Transaction();
  /** The commit under way. Never rejects. */
  private committing: Promise<void> | null = null;
  private lazyTimer: NodeJS.Timeout | null = null;
  private loadingSchema = false;
  private paused = false;
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
    this.holds = new Holds(index, settings.control);
    const { barrierTopic } = processor;
    this.alarm = new Alarm({
      now: settings.now,
      sendBarrier:
        barrierTopic === null
          ? null
          : async (key) =>
              void (await publisher.send(barrierTopic, [{ key, value: null, partition: index }])),
      rang: () => this.rang(),
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
    if (this.is('closed') || this.is('refused')) return 0;
    const hasWork = this.inbox.length > 0 && this.logic?.ready() === true;
    const busy = this.is('acquiring') || this.committing !== null || hasWork;
    return busy ? performance.now() - this.movedAt : 0;
  }

  /** Takes the partition over. Never throws: what fails is tried again, and too many failures end the process. */
  async acquire(): Promise<void> {
    const acquired = await untilAcquired({
      once: () => this.acquireOnce(),
      over: () => this.is('closed'),
      refuse: (failure) => this.refuse(failure),
      crash: this.settings.crash,
      log: this.log,
    });
    if (acquired) this.pump();
  }

  /** It stays fenced and untouched until the group gives it to another member, or to this one again. */
  private refuse(failure: Failure): void {
    this.state = 'refused';
    this.discard();
    this.log.error({ code: failure.code, error: failure.message }, 'partition given up');
    this.settings.refused(failure);
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
    const aside = this.openAside();
    const restore = new Restore(logic, aside, codec);
    this.logic = logic;
    this.aside = aside;
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
    logic.restored(this.settings.now());
    stopPoint('restored');

    await this.resumeInputs(restore.positions);
    if (this.is('closed')) return;
    this.state = 'running';
    this.movedAt = performance.now();
    this.log.info({ positions: restore.positions }, 'partition acquired');
  }

  private openAside(): Aside {
    const { topics: names, processor, index: partition, retries: policy, codec } = this.settings;
    return new Aside({ names, service: processor.service, partition, policy, codec, log: this.log });
  }

  private async resumeInputs(restored: Readonly<Record<string, number>>): Promise<void> {
    const { processor, control, index } = this.settings;
    for (const topic of processor.inputs) {
      const earliest = await control.earliest(topic, index);
      const position = restored[topic] ?? earliest;
      if (position < earliest) reportGap(this.log, topic, position, earliest);
      this.fetchPositions.set(topic, Math.max(position, earliest));
      this.committedPositions.set(topic, Math.max(position, earliest));
    }
    this.seekInputs();
    this.resumeFetch();
  }

  private resumeFetch(): void {
    this.paused = false;
    const { processor, control } = this.settings;
    for (const topic of processor.inputs) if (!this.holds.waits(topic)) control.resume(topic, this.index);
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

  /** Takes what the client fetched; returns at once, so that no partition waits for another. */
  offer(batch: Batch): void {
    if (batch.topic === this.settings.processor.stateTopic) {
      this.movedAt = performance.now();
      this.restore?.take(batch.messages);
    } else if (this.is('running')) this.offerInputs(batch);
  }

  private offerInputs(batch: Batch): void {
    const { topic } = batch;
    // (The client's types leave this field out.)
    const { fetchedOffset } = batch as Batch & { readonly fetchedOffset: string };
    if (this.holds.isStray(topic, Number(fetchedOffset))) return;
    const expected = this.fetchPositions.get(topic) ?? 0;
    // The client jumped, because the broker no longer had the offset.
    if (Number(fetchedOffset) > expected) reportGap(this.log, topic, expected, Number(fetchedOffset));
    metrics.records.inc({ topic }, batch.messages.length);
    for (const message of batch.messages) {
      const offset = Number(message.offset);
      if (offset < expected) continue;
      this.inbox.push({ topic, offset, message });
      announceSignal(this.logic, topic, this.index, message, this.settings.codec);
    }
    this.fetchPositions.set(topic, Number(batch.lastOffset()) + 1);
    if (this.inbox.overfull && !this.paused) this.pauseInputs();
    this.pump();
  }

  /** The client went past records that it does not show: control records and aborted ones. */
  skipped(topic: string, next: number): void {
    const position = this.fetchPositions.get(topic);
    if (!this.is('running') || this.holds.has(topic)) return;
    if (position !== undefined && next > position) this.fetchPositions.set(topic, next);
  }

  /** Handles what there is room for, and starts a commit when none is under way. Call it whenever something changed. */
  pump(): void {
    const { logic } = this;
    if (!this.is('running') || logic === null) return;
    this.handleInbox(logic);
    if (this.paused && this.inbox.roomy) this.resumeFetch();
    this.alarm.set(logic.nextAlarm(), this.restore?.marker ?? '');
    if (this.committing !== null || this.transaction.empty) return;
    if (this.transaction.urgent || this.transaction.full) this.commit(logic);
    else this.lazyTimer ??= setTimeout(() => this.commitLazily(), lazyMs);
  }

  private handleInbox(logic: PartitionLogic): void {
    if (this.loadingSchema) return;
    for (let item = this.inbox.peek(); item !== undefined; item = this.inbox.peek()) {
      if (this.transaction.full || !logic.ready()) return;
      const due = logic.notBefore?.(item.topic, item.message) ?? 0;
      if (due > this.settings.now()) {
        this.hold(item, due);
        continue;
      }
      if (!this.isRaw(item.topic) && needsSchema(item.message, this.settings.codec)) {
        void this.loadSchema(item.message);
        return;
      }
      this.inbox.shift();
      this.movedAt = performance.now();
      this.handle(logic, item.topic, item.message);
      this.transaction.positions.set(item.topic, item.offset + 1);
    }
  }

  private isRaw(topic: string): boolean {
    return this.settings.processor.raw?.has(topic) === true;
  }

  /** Its topic waits until the record is due, and is then read again from there. */
  private hold({ topic, offset }: Fetched, due: number): void {
    this.inbox.drop(topic);
    this.fetchPositions.set(topic, offset);
    this.holds.hold(topic, offset, due - this.settings.now(), () => !this.paused);
  }

  private handle(logic: PartitionLogic, topic: string, message: KafkaMessage): void {
    const { transaction, aside } = this;
    const { codec } = this.settings;
    const now = this.settings.now();
    if (aside === null) return;
    if (this.alarm.isBarrier(message)) {
      if (this.alarm.rings(message)) this.ring(logic);
      return;
    }
    const behind = aside.behind(topic, message, now);
    if (behind !== null) return transaction.add(behind);
    transaction.begin();
    try {
      const partition = this.index;
      const urgency = this.isRaw(topic)
        ? logic.handleRaw?.({ topic, partition, offset: Number(message.offset), message }, now, transaction)
        : logic.handle(decodeRecord(topic, partition, message, codec), now, transaction);
      if (urgency === 'urgent') transaction.urgent = true;
      aside.handled(topic, message, now);
    } catch (error) {
      transaction.rollBack();
      transaction.add(aside.failed(topic, message, asFailure(error, 'handler_failed'), now));
    }
  }

  /** The alarm is due, and waits for nothing that was reported before. */
  private rang(): void {
    if (!this.is('running') || this.logic === null) return;
    this.ring(this.logic);
    this.pump();
  }

  private ring(logic: PartitionLogic): void {
    const now = this.settings.now();
    // Something that was read before the barrier may have moved the timer.
    if ((logic.nextAlarm() ?? Number.POSITIVE_INFINITY) > now) return;
    metrics.alarms.inc();
    logic.alarm(now, this.transaction);
    this.transaction.urgent = true;
  }

  private async loadSchema({ value }: KafkaMessage): Promise<void> {
    if (value === null) return;
    this.loadingSchema = true;
    try {
      await loadSchema(this.settings.codec, value);
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
    for (const changes of [logic.changes(), this.aside?.changes() ?? []]) {
      for (const [key, value] of changes) transaction.send(stateTopic, { key, value, partition });
    }
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
    this.aside = null;
    this.holds.clear();
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
