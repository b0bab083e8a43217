import assert from 'node:assert/strict';
import { openLog } from '#chassis/log.ts';
import { Transaction } from '#chassis/transaction.ts';
import { type Codec, createCodec } from '#schemas/codec.ts';
import { missionCommand } from '#schemas/mission-command.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { EventOf, MissionCommand } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import { topicNames } from '#topics/table.ts';
import type { AgentsView } from './absences.ts';
import { Missions } from './missions.ts';
import { openRules, type Rules } from './rules.ts';
import type { LedgerRecord } from './verify.ts';

/**
 * For tests: one partition of the orchestrator without a broker. What it sends is looked at, its changelog is kept, and
 * it can be restored from that at any moment. Each input is a transaction of its own.
 */

const codec = createCodec(numberedIds());
export const topics = topicNames('play');

export interface Sent {
  readonly topic: string;
  readonly key: string;
  readonly value: ReturnType<typeof codec.decode>['value'];
}

export interface PlaySettings {
  readonly roles: readonly string[];
  readonly outstanding?: number | null;
  readonly agents?: AgentsView;
  readonly scheduleToStartMs?: number;
  /** What an alarm writes into; instead of the usual one. */
  readonly transaction?: () => Transaction;
  /** Instead of the usual one. */
  readonly codec?: Codec;
  readonly rules?: Rules;
}

/** Everybody is there, and nobody says how many tasks they can hold. */
export const everybody: AgentsView = { capacity: () => 0, free: () => 0, absentSince: () => null };

export class PartitionPlay {
  now = 1_790_000_000_000;
  readonly sent: Sent[] = [];
  /** The ledger, for `verify`. */
  readonly ledger: LedgerRecord[] = [];
  readonly changelog = new Map<string, Buffer>();
  /** Roles that have a topic; and those whose topic is gone. */
  readonly roles: Set<string>;
  readonly gone = new Set<string>();
  readonly settings: { -readonly [K in keyof PlaySettings]: PlaySettings[K] };
  private offset = 0;
  missions: Missions;

  constructor(settings: PlaySettings) {
    this.settings = { ...settings };
    this.roles = new Set(settings.roles);
    this.missions = this.open();
  }

  private open(): Missions {
    const { outstanding = null, agents = everybody, scheduleToStartMs = 300_000 } = this.settings;
    const { rules = openRules(), codec: ours = codec } = this.settings;
    const log = openLog('play', 'silent');
    const whole = { partition: 0, partitions: 1, topics, rules, codec: ours, log };
    const roles = {
      roles: this.roles,
      has: (role: string) => this.roles.has(role),
      isGone: (role: string) => this.gone.has(role),
    };
    return new Missions({ ...whole, roles, outstanding, agents, scheduleToStartMs });
  }

  /** As after a crash: what is in memory is gone. */
  restart(): void {
    this.missions.close();
    this.missions = this.open();
    for (const [key, value] of this.changelog) this.missions.restore(key, value);
    this.missions.restored(this.now);
    this.ring();
  }

  submit(id: string, mission: Partial<MissionCommand>): void {
    const value = missionCommand({ ...mission, correlation_id: id, event_id: `submit-${id}` });
    this.give(topics.missions, id, codec.encodeRecord('MissionCommand', value));
  }

  cancel(id: string): void {
    const value = missionCommand({
      event_type: 'mission_cancelled',
      correlation_id: id,
      event_id: `cancel-${id}`,
    });
    this.give(topics.missions, id, codec.encodeRecord('MissionCommand', value));
  }

  started({ correlation_id, payload }: EventOf<'task_assigned'>): void {
    const { task_id, attempt, lease } = payload;
    const place = { journal_partition: 0, journal_offset: 0 };
    this.report(correlation_id, 'task_started', { task_id, attempt, lease, agent: 'a', ...place });
  }

  completed({ correlation_id, payload }: EventOf<'task_assigned'>): void {
    const { task_id, attempt, lease } = payload;
    const how = { result: 'ok', steps: 0, journal_hash: '', duration_ms: 5, usage: noUsage };
    this.report(correlation_id, 'task_completed', { task_id, attempt, lease, agent: 'a', ...how });
  }

  released({ correlation_id, payload }: EventOf<'task_assigned'>): void {
    const { task_id, attempt, lease } = payload;
    this.report(correlation_id, 'task_released', { task_id, attempt, lease, agent: 'a', reason: 'drained' });
  }

  /** What the ledger says of a mission, by type. */
  facts(id: string): { readonly event_type: string; readonly payload: Record<string, unknown> }[] {
    return this.sent.flatMap(({ topic, key, value }) =>
      topic === topics.coordination && key === id && 'event_type' in value && 'payload' in value
        ? [{ event_type: value.event_type, payload: { ...value.payload } }]
        : [],
    );
  }

  /** Rings the alarm if it is due. */
  ring(): void {
    const due = this.missions.nextAlarm();
    if (due === null || due > this.now) return;
    const transaction = this.settings.transaction?.() ?? new Transaction();
    this.missions.alarm(this.now, transaction);
    this.commit(transaction);
  }

  /** Commands to roles, in the order in which they were sent. */
  assignments(role?: string): EventOf<'task_assigned'>[] {
    return this.sent.flatMap(({ topic, value }) =>
      topic.startsWith(topics.tasks('')) &&
      'event_type' in value &&
      value.event_type === 'task_assigned' &&
      'payload' in value &&
      (role === undefined || topic === topics.tasks(role))
        ? [value as EventOf<'task_assigned'>]
        : [],
    );
  }

  waiting(): string[] {
    return [...this.changelog.keys()].filter((key) => key.startsWith('dispatch/'));
  }

  report(mission: string, event_type: string, payload: object): void {
    const event = {
      ...{ event_id: `r-${this.offset}`, event_type, source_agent: 'a', target_agent: 'orchestrator' },
      ...{ timestamp: this.now, version: 1, correlation_id: mission, causation_id: '', priority: 'normal' },
      ...{ sequence: 0, previous_hash: '', payload },
    };
    this.give(topics.reports, mission, codec.encode(event as unknown as EventOf<'task_started'>));
  }

  private give(topic: string, key: string, bytes: Buffer): void {
    this.now += 1;
    this.offset += 1;
    const transaction = new Transaction();
    const record = { topic, partition: 0, offset: this.offset, key, timestamp: this.now, traceparent: null };
    this.missions.handle({ ...record, decoded: codec.decode(bytes), bytes }, this.now, transaction);
    this.commit(transaction);
  }

  private commit(transaction: Transaction): void {
    for (const { topic, message } of transaction.records) {
      assert.ok(message.value !== null && message.key !== null);
      if (topic === topics.coordination)
        this.ledger.push({ bytes: message.value, partition: 0, offset: this.ledger.length });
      this.sent.push({ topic, key: message.key.toString(), value: codec.decode(message.value).value });
    }
    for (const [key, value] of this.missions.changes()) {
      // As a compacted topic has it: what is written anew is at the end.
      this.changelog.delete(key);
      if (value !== null) this.changelog.set(key, value);
    }
  }
}
