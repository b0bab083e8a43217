import { Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import { metrics } from '#chassis/metrics.ts';
import type { Outbox } from '#chassis/outbox.ts';
import type { InputRecord, PartitionLogic, Urgency } from '#chassis/processor.ts';
import type { Codec } from '#schemas/codec.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { ClaimedLeases } from './claimed-leases.ts';
import { taskKey } from './journal.ts';
import type { JournalPlaces } from './journal-places.ts';
import { instant, type WorkerClock } from './lease.ts';
import { reportEvent } from './report.ts';
import type { Claim } from './run-task.ts';
import type { Runners } from './runners.ts';

/** How many tasks of one role this process runs or has claimed, over all partitions. */
export interface Slots {
  readonly capacity: number;
  /** Claims whose transaction has not committed yet. */
  claiming: number;
}

export interface ClaimsSettings {
  readonly role: string;
  readonly agent: string;
  readonly slots: Slots;
  readonly runners: Runners;
  readonly places: JournalPlaces;
  readonly reportsTopic: string;
  readonly codec: Codec;
  readonly clock: WorkerClock;
  /** After how long the orchestrator sends an assignment again that nobody has claimed; ms. */
  readonly scheduleToStartMs: number;
  readonly log: Logger;
}

/**
 * Claims the assignments of one partition of a role's tasks: the report `task_started` and the position behind the
 * assignment are one transaction, so each assignment is claimed by one worker, once. The task runs after that, out of
 * band: no rebalance waits for it, and none starts it again.
 */
export class Claims implements PartitionLogic {
  readonly signals = new Set(['TaskCancelled'] as const);
  private readonly settings: ClaimsSettings;
  private claiming = 0;
  /** Cancellations that were fetched while their assignments still wait for a slot. */
  private readonly cancelled = new Set<string>();
  private readonly leases: ClaimedLeases;

  constructor(settings: ClaimsSettings) {
    this.settings = settings;
    this.leases = new ClaimedLeases(settings.scheduleToStartMs, settings.log);
  }

  restore(key: string, value: Buffer | null): void {
    this.leases.restore(key, value);
  }

  restored(): void {}

  ready(): boolean {
    const { runners, slots } = this.settings;
    return runners.size + slots.claiming < slots.capacity;
  }

  arrived({ decoded }: InputRecord): void {
    if (decoded.name !== 'TaskCancelled') return;
    this.cancelled.add(attemptKey(decoded.value));
    this.cancel(decoded.value);
  }

  handle(record: InputRecord, _now: number, out: Outbox): Urgency {
    const { name, value } = record.decoded;
    switch (name) {
      case 'TaskAssigned':
        return this.claim(value, record, out);
      case 'TaskCancelled':
        this.cancelled.delete(attemptKey(value));
        this.cancel(value);
        return 'lazy';
      default:
        throw new Failure('unexpected_type', `found ${name} on ${record.topic}, expected an assignment`);
    }
  }

  private claim(
    assignment: EventOf<'task_assigned'>,
    { traceparent, timestamp }: InputRecord,
    out: Outbox,
  ): Urgency {
    const { role, agent, codec, clock, places, slots, reportsTopic } = this.settings;
    const { payload, correlation_id } = assignment;
    if (payload.role !== role) {
      throw new Failure(
        'invalid_payload',
        `payload.role: found ${JSON.stringify(payload.role)}, expected ${role}`,
      );
    }
    if (this.cancelled.has(attemptKey(assignment))) return 'lazy';
    if (this.leases.has(assignment)) {
      metrics.ignored.inc({ reason: 'LeaseClaimed' });
      return 'lazy';
    }
    const claimedAt = instant(clock);
    const place = places.of(taskKey(correlation_id, payload.task_id), payload);
    const started = reportEvent(
      assignment,
      agent,
      {
        event_type: 'task_started',
        payload: { journal_partition: place.partition, journal_offset: place.offset },
      },
      claimedAt.wall,
    );
    const headers = traceparent === null ? {} : { headers: { traceparent } };
    out.send(reportsTopic, { key: correlation_id, value: codec.encode(started), ...headers });
    this.leases.add(assignment, timestamp, claimedAt.wall);
    slots.claiming += 1;
    this.claiming += 1;
    const claim: Claim = { assignment, journalPartition: place.partition, claimedAt, traceparent };
    out.afterCommit(() => this.start(claim));
    return 'urgent';
  }

  private start(claim: Claim): void {
    const { runners, slots, role, log } = this.settings;
    if (this.claiming > 0) {
      slots.claiming -= 1;
      this.claiming -= 1;
    }
    // A cancellation may have been fetched while the claim was being committed.
    if (this.cancelled.has(attemptKey(claim.assignment))) return;
    const { correlation_id: mission, payload } = claim.assignment;
    const { task_id: task, attempt, lease } = payload;
    const started = runners.start(claim);
    log.debug({ mission, task, attempt, lease, started }, 'claimed');
    metrics.running.set({ role }, runners.size);
  }

  private cancel({ correlation_id, payload }: EventOf<'task_cancelled'>): void {
    const stopped = this.settings.runners.cancel(correlation_id, payload.task_id, payload.attempt);
    if (stopped) this.settings.log.info({ mission: correlation_id, task: payload.task_id }, 'cancelled');
  }

  nextAlarm(): null {
    return null;
  }

  alarm(): void {}

  changes(): Iterable<readonly [key: string, value: Buffer | null]> {
    return this.leases.changes();
  }

  /** Claims whose outcome nobody knows are no longer ours to start: the changelog or the lease's timer decides. */
  close(): void {
    this.settings.slots.claiming -= this.claiming;
    this.claiming = 0;
  }
}

function attemptKey({
  correlation_id,
  payload,
}: EventOf<'task_assigned'> | EventOf<'task_cancelled'>): string {
  return `${taskKey(correlation_id, payload.task_id)}/${payload.attempt}`;
}
