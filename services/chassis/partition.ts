import type { Batch, KafkaMessage } from 'kafkajs';
import { untilAcquired } from './acquiring.ts';
import { Alarm } from './alarm.ts';
import { Aside } from './aside.ts';
import { within } from './deadline.ts';
import { decodeRecord, needsSchema } from './decode-record.ts';
import { asFailure, Failure } from './failures.ts';
import type { Fetched } from './inbox.ts';
import { startOfInput } from './input-start.ts';
import { Inputs } from './inputs.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';
import { outgoing } from './outbox.ts';
import { type EndedBatch, type PartitionSettings, usualPatience } from './partition-settings.ts';
import { loadPatiently } from './patient-load.ts';
import type { PartitionLogic } from './processor.ts';
import { Recovery } from './recovery.ts';
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
 * partition is acquired again, and the changelog says what happened. When the broker refuses what a transaction holds,
 * its inputs are tried one by one, and the one to blame becomes a dead letter ({@link Recovery}).
 */
export class Partition {
  private readonly settings: PartitionSettings;
  private readonly log: Logger;
  private readonly inputs: Inputs;
  private readonly alarm: Alarm;
  private readonly recovery: Recovery;
  private state: State = 'acquiring';
  private logic: PartitionLogic | null = null;
  private restore: Restore | null = null;
  private aside: Aside | null = null;
  private transactor: Transactor | null = null;
  private transaction = new Transaction();
  /** The commit under way. Never rejects. */
  private committing: Promise<void> | null = null;
  private lazyTimer: NodeJS.Timeout | null = null;
  /** `waiting`: the registry is away. */
  private schema: 'there' | 'loading' | 'waiting' = 'there';
  /** When something last moved, for the watchdog; milliseconds of the monotonic clock. */
  private movedAt = performance.now();
  /** Position after the last committed record, by input topic. */
  readonly committedPositions = new Map<string, number>();

  constructor(settings: PartitionSettings) {
    const { processor, publisher, index } = settings;
    this.settings = settings;
    this.log = settings.log.child({ service: processor.service, partition: index });
    const { now, clock, patience = usualPatience } = settings;
    this.recovery = new Recovery({ log: this.log, now, clock, patience });
    this.inputs = new Inputs({
      ...{ index, topics: processor.inputs, control: settings.control, log: this.log },
      arrived: (topic, message) => announceSignal(this.logic, topic, index, message, settings.codec),
    });
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

  /** False while it cannot do its work: it is being acquired, fails again and again, or waits for the registry. */
  get ready(): boolean {
    return this.running && !this.recovery.failing && this.schema !== 'waiting';
  }

  /** Asked through a method, because the state changes while something is awaited. */
  private is(state: State): boolean {
    return this.state === state;
  }

  /** Milliseconds since it last moved although it had something to do; 0 when it is idle or waits for room. */
  stalledFor(): number {
    if (this.is('closed') || this.is('refused')) return 0;
    const hasWork = this.inputs.length > 0 && this.logic?.ready() === true;
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
      troubles: this.recovery.troubles,
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
    this.inputs.pause();
    await this.committing;
    this.discard();
    await this.transactor?.close();
    if (this.is('closed')) return;

    const transactor = this.settings.openTransactor(processor.transactionalIds(index));
    this.transactor = transactor;
    await transactor.fence();
    // Whoever has the partition now must not be disturbed: this is asked after everything that is waited for.
    if (this.is('closed')) return;
    stopPoint('fenced');
    const { low } = await control.ends(stateTopic, index);
    if (this.is('closed')) return;

    const logic = processor.open(index);
    const aside = this.openAside();
    const restore = new Restore(logic, aside, codec);
    this.logic = logic;
    this.aside = aside;
    this.restore = restore;
    control.seek(stateTopic, index, low);
    const marker = { key: epochKey, value: Buffer.from(restore.marker), partition: index };
    await transactor.commit([outgoing(stateTopic, marker)]);
    if (this.is('closed')) return;
    control.resume(stateTopic, index);
    try {
      for (const value of await restore.done()) await this.load(value);
    } finally {
      if (!this.is('closed')) control.pause(stateTopic, index);
    }
    if (this.is('closed')) return;
    logic.restored(this.settings.now());
    stopPoint('restored');

    await this.resumeInputs(restore.positions);
    if (this.is('closed')) return;
    this.state = 'running';
    this.movedAt = performance.now();
    this.recovery.acquired();
    this.log.info({ positions: restore.positions }, 'partition acquired');
  }

  private async load(value: Buffer): Promise<void> {
    this.schema = 'loading';
    await loadPatiently(this.settings.codec, value, {
      over: () => this.is('closed'),
      failed: () => {
        this.schema = 'waiting';
        this.movedAt = performance.now();
      },
      log: this.log,
    });
    this.schema = 'there';
  }

  private openAside(): Aside {
    const { topics: names, processor, index: partition, retries: policy, codec } = this.settings;
    return new Aside({ names, service: processor.service, partition, policy, codec, log: this.log });
  }

  private async resumeInputs(restored: Readonly<Record<string, number>>): Promise<void> {
    const { processor, control, index: partition, patience } = this.settings;
    const starts = new Map<string, number>();
    for (const topic of processor.inputs) {
      const place = { topic, partition, restored: restored[topic] };
      starts.set(topic, await startOfInput(control, this.log, place, patience));
    }
    if (this.is('closed')) return;
    for (const [topic, start] of starts) this.committedPositions.set(topic, start);
    this.inputs.start(starts);
  }

  /** After a rebalance that left the partition here, the client starts from the group's offsets, which lag behind. */
  seekInputs(): void {
    this.inputs.seekAll();
  }

  /** Takes what the client fetched; returns at once, so that no partition waits for another. */
  offer(batch: Batch): void {
    if (batch.topic === this.settings.processor.stateTopic) {
      this.movedAt = performance.now();
      this.restore?.take(batch.messages);
    } else if (this.is('running')) {
      try {
        this.inputs.offer(batch);
        this.pump();
      } catch (error) {
        this.fail(asFailure(error));
      }
    }
  }

  /** The client is done with a batch, which it may not have offered. */
  batchEnded(topic: string, batch: EndedBatch): void {
    if (this.is('running')) this.inputs.batchEnded(topic, batch);
  }

  /** Handles what there is room for, and starts a commit when none is under way. Call it whenever something changed. */
  pump(): void {
    const { logic } = this;
    if (!this.is('running') || logic === null) return;
    this.handleInbox(logic);
    this.inputs.resumeIfRoomy();
    this.alarm.set(this.nextAlarm(logic), this.restore?.marker ?? '');
    if (this.committing !== null || this.transaction.empty) return;
    if (this.transaction.urgent || this.transaction.full) this.commit(logic);
    else this.lazyTimer ??= setTimeout(() => this.commitLazily(), lazyMs);
  }

  private nextAlarm(logic: PartitionLogic): number | null {
    const due = logic.nextAlarm();
    return due === null ? null : Math.max(due, this.recovery.timersFrom);
  }

  private handleInbox(logic: PartitionLogic): void {
    if (this.schema !== 'there') return;
    for (let item = this.inputs.peek(); item !== undefined; item = this.inputs.peek()) {
      if (this.transaction.full || !logic.ready()) return;
      const alone = this.goesAlone(item);
      if (this.transaction.alone || (alone && !this.transaction.empty)) {
        this.transaction.urgent = true;
        return;
      }
      const due = logic.notBefore?.(item.topic, item.message) ?? 0;
      if (due > this.settings.now()) {
        this.inputs.hold(item, due - this.settings.now());
        continue;
      }
      const verdict = this.verdictOn(item);
      const readable = verdict !== null || this.isRaw(item.topic);
      if (!readable && needsSchema(item.message, this.settings.codec)) {
        void this.loadSchema(item.message);
        return;
      }
      this.inputs.shift();
      this.movedAt = performance.now();
      if (verdict === null) this.handle(logic, item);
      else this.bury(item, verdict);
      this.transaction.positions.set(item.topic, item.offset + 1);
      if (alone) this.transaction.alone = true;
    }
  }

  /** Whether it shares its transaction with nothing, because what came of it may be why a commit was refused. */
  private goesAlone({ topic, offset, message }: Fetched): boolean {
    return (
      this.recovery.suspects.has(topic, offset) ||
      (this.recovery.suspects.suspectsTimers && this.alarm.awaits(message))
    );
  }

  /** Why it is not handled: what came of it was refused. */
  private verdictOn({ topic, offset }: Fetched): Failure | null {
    const verdict = this.recovery.suspects.verdict(topic, offset);
    // A dead letter is passed over only for what is in it. Topics that are missing are missing for all of them.
    const passing = topic !== this.settings.topics.dlq || verdict?.code === 'output_refused';
    return passing ? verdict : null;
  }

  private isRaw(topic: string): boolean {
    return this.settings.processor.raw?.has(topic) === true;
  }

  private handle(logic: PartitionLogic, { topic, offset, message }: Fetched): void {
    const { transaction, aside } = this;
    const { codec } = this.settings;
    const now = this.settings.now();
    if (aside === null) return;
    if (this.alarm.isBarrier(message)) {
      if (this.alarm.rings(message)) this.ring(logic);
      return;
    }
    transaction.inputs += 1;
    transaction.lastInput = { topic, offset };
    const behind = aside.behind(topic, message, now);
    if (behind !== null) return transaction.add(behind);
    transaction.begin();
    try {
      const partition = this.index;
      const urgency = this.isRaw(topic)
        ? logic.handleRaw?.({ topic, partition, offset, message }, now, transaction)
        : logic.handle(decodeRecord(topic, partition, message, codec), now, transaction);
      if (urgency === 'urgent') transaction.urgent = true;
      aside.handled(topic, message, now);
    } catch (error) {
      transaction.rollBack();
      transaction.add(aside.failed(topic, message, asFailure(error, 'handler_failed'), now));
    }
  }

  /** What came of it was refused: it becomes a dead letter without being handled. */
  private bury({ topic, offset, message }: Fetched, verdict: Failure): void {
    const { transaction, aside } = this;
    transaction.inputs += 1;
    transaction.lastInput = { topic, offset };
    transaction.condemned = true;
    transaction.urgent = true;
    // A dead letter of a dead letter would come next. It is in its topic, and stays there.
    if (topic === this.settings.topics.dlq)
      this.log.error({ code: verdict.code, topic, offset, error: verdict.message }, 'passed over');
    else if (aside !== null) transaction.add(aside.failed(topic, message, verdict, this.settings.now()));
  }

  /** The alarm is due, and waits for nothing that was reported before. */
  private rang(): void {
    if (!this.is('running') || this.logic === null) return;
    // What is there commits first, and it rings again.
    if (this.recovery.suspects.suspectsTimers && !this.transaction.empty) this.transaction.urgent = true;
    else this.ring(this.logic);
    this.pump();
  }

  private ring(logic: PartitionLogic): void {
    const now = this.settings.now();
    // Something that was read before the barrier may have moved the timer.
    if ((this.nextAlarm(logic) ?? Number.POSITIVE_INFINITY) > now) return;
    metrics.alarms.inc();
    logic.alarm(now, this.transaction);
    this.transaction.urgent = true;
    this.transaction.rang = true;
    if (this.recovery.suspects.suspectsTimers) this.transaction.alone = true;
  }

  private async loadSchema({ value }: KafkaMessage): Promise<void> {
    if (value === null) return;
    await this.load(value);
    this.pump();
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
      this.fail(asFailure(error, 'commit_unknown'), transaction);
      return;
    }
    metrics.commits.inc({ outcome: 'committed' });
    metrics.commitSeconds.observe((performance.now() - started) / 1000);
    metrics.commitRecords.observe(transaction.records.length);
    this.movedAt = performance.now();
    this.committing = null;
    for (const [topic, position] of transaction.positions) this.committedPositions.set(topic, position);
    this.recovery.committed(transaction);
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
  private fail(failure: Failure, transaction: Transaction | null = null): void {
    if (!this.is('running')) return;
    this.state = 'acquiring';
    this.inputs.pause();
    const hopeless = this.recovery.failed(failure, transaction);
    const { count: failures } = this.recovery.troubles;
    this.log.warn({ code: failure.code, error: failure.message, failures }, 'acquiring the partition again');
    if (hopeless) this.settings.crash(failure);
    else void this.acquire();
  }

  private stopLazyTimer(): void {
    if (this.lazyTimer !== null) clearTimeout(this.lazyTimer);
    this.lazyTimer = null;
  }

  private discard(): void {
    this.inputs.clear();
    this.transaction = new Transaction();
    this.restore?.giveUp();
    this.schema = 'there';
    this.logic?.close();
    this.logic = null;
    this.restore = null;
    this.aside = null;
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
