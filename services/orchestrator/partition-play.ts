import assert from 'node:assert/strict';
import { openLog } from '#chassis/log.ts';
import { Transaction } from '#chassis/transaction.ts';
import { createCodec } from '#schemas/codec.ts';
import { missionCommand } from '#schemas/mission-command.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { EventOf, MissionCommand } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import { topicNames } from '#topics/table.ts';
import type { AgentsView } from './absences.ts';
import { Missions } from './missions.ts';
import { openRules, type Rules } from './rules.ts';

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
  readonly rules?: Rules;
}

/** Everybody is there, and nobody says how many tasks they can hold. */
export const everybody: AgentsView = { capacity: () => 0, absentSince: () => null };

export class PartitionPlay {
  now = 1_790_000_000_000;
  readonly sent: Sent[] = [];
  readonly changelog = new Map<string, Buffer>();
  readonly settings: { -readonly [K in keyof PlaySettings]: PlaySettings[K] };
  private offset = 0;
  missions: Missions;

  constructor(settings: PlaySettings) {
    this.settings = { ...settings };
    this.missions = this.open();
  }

  private open(): Missions {
    const { roles, outstanding = null, agents = everybody, rules = openRules() } = this.settings;
    const log = openLog('play', 'silent');
    const whole = { partition: 0, partitions: 1, topics, rules, codec, log };
    return new Missions({ ...whole, roles: new Set(roles), outstanding, agents });
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

  /** Rings the alarm if it is due. */
  ring(): void {
    const due = this.missions.nextAlarm();
    if (due === null || due > this.now) return;
    const transaction = new Transaction();
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

  private report(mission: string, event_type: string, payload: object): void {
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
      this.sent.push({ topic, key: message.key.toString(), value: codec.decode(message.value).value });
    }
    for (const [key, value] of this.missions.changes()) {
      // As a compacted topic has it: what is written anew is at the end.
      this.changelog.delete(key);
      if (value !== null) this.changelog.set(key, value);
    }
  }
}
