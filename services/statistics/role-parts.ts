import { asFailure, Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import { metrics } from '#chassis/metrics.ts';
import type { Outbox } from '#chassis/outbox.ts';
import type { InputRecord, PartitionLogic, Urgency } from '#chassis/processor.ts';
import { SetAside } from '#chassis/set-aside.ts';
import { decodeMission, decodePlan, missionPrefix, planPrefix } from '#orchestrator/changelog.ts';
import { evolve } from '#orchestrator/evolve.ts';
import { endsMission, type FactEvent, isFact } from '#orchestrator/facts.ts';
import type { Plan } from '#orchestrator/plan.ts';
import { mostStateBytes } from '#orchestrator/sizes.ts';
import { fromRecords, type MissionState, missionHasEnded, taskHasEnded } from '#orchestrator/state.ts';
import type { Codec } from '#schemas/codec.ts';
import type { Event, MissionState as MissionStateRecord } from '#schemas/types.gen.ts';
import type { TopicNames } from '#topics/table.ts';
import { statisticsEvent, totalsOf } from './event.ts';
import { countFact, noTotals, type RoleTotals } from './role-totals.ts';

export interface RolePartsSettings {
  readonly partition: number;
  readonly topics: TopicNames;
  readonly codec: Codec;
  readonly log: Logger;
}

interface Part {
  totals: RoleTotals;
  /** Of the newest fact; epoch ms. */
  at: number;
}

const rolePrefix = 'role/';
const assignedPrefix = 'assigned/';
/** A mission of which nothing can be kept: its facts are passed over. */
const asidePrefix = 'aside/';

/**
 * The figures of every role in one partition of the ledger: its facts folded by the orchestrator's own `evolve`. What
 * has changed goes out by role, once a transaction, whole: so it is enough to know the newest of each partition.
 */
export class RoleParts implements PartitionLogic {
  private readonly settings: RolePartsSettings;
  private readonly missions = new Map<string, MissionState>();
  /** When tasks that nobody has begun were assigned, by mission and task. */
  private readonly assigned = new Map<string, Map<string, number>>();
  private readonly parts = new Map<string, Part>();
  private readonly writtenPlans = new Map<string, Plan>();
  private readonly changed = new Set<string>();
  private readonly changedRoles = new Set<string>();
  private readonly toTell = new Set<string>();
  private readonly restoring = new Map<string, Buffer>();
  private readonly setAside: SetAside;

  constructor(settings: RolePartsSettings) {
    this.settings = settings;
    this.setAside = new SetAside(settings.partition, settings.log);
  }

  restore(key: string, value: Buffer | null): void {
    if (value === null) this.restoring.delete(key);
    else this.restoring.set(key, value);
  }

  restored(): void {
    const { log } = this.settings;
    for (const [key, bytes] of this.restoring) {
      const id = key.slice(key.indexOf('/') + 1);
      try {
        this.restoreRecord(key, id, bytes);
      } catch (error) {
        const { message } = asFailure(error);
        if (key.startsWith(missionPrefix)) this.setAside.add(id, message);
        else log.error({ key, code: 'changelog_broken', error: message }, 'a record is left out');
      }
    }
    this.restoring.clear();
  }

  private restoreRecord(key: string, id: string, bytes: Buffer): void {
    const { codec } = this.settings;
    if (key.startsWith(missionPrefix)) {
      const planBytes = this.restoring.get(planPrefix + id);
      const plan = planBytes === undefined ? null : decodePlan(codec, planBytes);
      const { state } = fromRecords(decodeMission(codec, bytes), plan);
      this.missions.set(id, state);
      if (state.plan !== null) this.writtenPlans.set(id, state.plan);
    } else if (key.startsWith(assignedPrefix)) {
      const times = JSON.parse(bytes.toString()) as Record<string, number>;
      this.assigned.set(id, new Map(Object.entries(times)));
    } else if (key.startsWith(asidePrefix)) this.setAside.add(id, bytes.toString());
    else if (key.startsWith(rolePrefix)) {
      const { name, value } = codec.decode(bytes);
      if (name !== 'RoleStatistics')
        throw new Failure('internal_error', `changelog: found ${name}, expected RoleStatistics`);
      this.parts.set(id, { totals: { ...totalsOf(value) }, at: value.timestamp });
    }
  }

  /** What a person should know of this partition. */
  problems(): string[] {
    return this.setAside.problems();
  }

  ready(): boolean {
    return true;
  }

  handle(record: InputRecord): Urgency {
    const { name, value } = record.decoded;
    if (!('event_type' in value) || name === 'MissionCommand' || !isFact(value as Event)) {
      throw new Failure('unexpected_type', `found ${name} on ${record.topic}, expected a fact`);
    }
    this.follow(value as FactEvent);
    return 'lazy';
  }

  private follow(fact: FactEvent): void {
    const id = fact.correlation_id;
    if (this.setAside.has(id)) return this.passOver(fact);
    const before = this.missions.get(id) ?? null;
    // It alone may throw, and has changed nothing then.
    const after = evolve(before, fact, fact);
    this.missions.set(id, after);
    this.changed.add(id);
    countFact(before, after, fact, this.assignedAt(fact), (role) => this.totalsOf(role, fact.timestamp));
  }

  /** Nothing is counted of a mission that is set aside. With its end it is forgotten. */
  private passOver({ correlation_id: id, event_type }: FactEvent): void {
    metrics.ignored.inc({ reason: 'MissionSetAside' });
    if (!endsMission.has(event_type)) return;
    this.setAside.ended(id);
    this.changed.add(id);
  }

  /** Notes an assignment, and gives when what begins now was assigned. */
  private assignedAt(fact: FactEvent): number | null {
    const { correlation_id: id, payload } = fact;
    if (fact.event_type === 'task_assigned') {
      const times = this.assigned.get(id) ?? new Map<string, number>();
      this.assigned.set(id, times.set(fact.payload.task_id, fact.timestamp));
      return null;
    }
    const times = this.assigned.get(id);
    const task_id = 'task_id' in payload ? payload.task_id : '';
    const at = times?.get(task_id);
    if (times === undefined || at === undefined) return null;
    if (fact.event_type !== 'task_started' && !ends.has(fact.event_type)) return null;
    times.delete(task_id);
    return at;
  }

  private totalsOf(role: string, at: number): RoleTotals {
    const part = this.parts.get(role) ?? { totals: noTotals(), at };
    part.at = Math.max(part.at, at);
    this.parts.set(role, part);
    this.changedRoles.add(role);
    this.toTell.add(role);
    return part.totals;
  }

  conclude(out: Outbox): void {
    const { topics, partition } = this.settings;
    for (const role of this.toTell) {
      out.send(topics.roleParts, { key: `${role}/${partition}`, value: this.encoded(role), partition: 0 });
    }
    this.toTell.clear();
  }

  private encoded(role: string): Buffer {
    const { totals, at } = this.parts.get(role) ?? { totals: noTotals(), at: 0 };
    return this.settings.codec.encode(statisticsEvent(role, this.settings.partition, totals, at));
  }

  nextAlarm(): null {
    return null;
  }

  alarm(): void {}

  *changes(): Iterable<readonly [string, Buffer | null]> {
    for (const role of this.changedRoles) yield [rolePrefix + role, this.encoded(role)];
    this.changedRoles.clear();
    for (const id of this.changed) yield* this.missionChanges(id);
    this.changed.clear();
  }

  private *missionChanges(id: string): Iterable<readonly [string, Buffer | null]> {
    const { codec } = this.settings;
    const state = this.missions.get(id);
    if (state === undefined) {
      if (this.setAside.has(id)) yield* this.forgotten(id);
      return;
    }
    if (missionHasEnded(state) && state.tasks.every(taskHasEnded)) {
      this.missions.delete(id);
      this.assigned.delete(id);
      yield [missionPrefix + id, null];
      yield [assignedPrefix + id, null];
      if (this.writtenPlans.delete(id)) yield [planPrefix + id, null];
      return;
    }
    const { plan } = state;
    const bytes = codec.encodeRecord('MissionState', countedOf(state));
    if (bytes.length > mostStateBytes) {
      const why = `found a state of ${bytes.length} bytes, expected at most ${mostStateBytes}`;
      this.missions.delete(id);
      this.assigned.delete(id);
      this.setAside.add(id, why);
      yield* this.forgotten(id);
      yield [asidePrefix + id, Buffer.from(why)];
      return;
    }
    yield [missionPrefix + id, bytes];
    if (plan !== null && this.writtenPlans.get(id) !== plan) {
      this.writtenPlans.set(id, plan);
      yield [planPrefix + id, codec.encodeRecord('MissionPlan', { mission_id: id, tasks: plan.tasks })];
    }
    const times = Object.fromEntries(this.assigned.get(id) ?? []);
    yield [assignedPrefix + id, Buffer.from(JSON.stringify(times))];
  }

  private *forgotten(id: string): Iterable<readonly [string, null]> {
    this.writtenPlans.delete(id);
    for (const prefix of [missionPrefix, assignedPrefix, planPrefix, asidePrefix]) yield [prefix + id, null];
  }

  close(): void {
    this.setAside.clear();
    this.missions.clear();
    this.parts.clear();
  }
}

/** What the figures need of a mission: who does what, and since when; not what was said, which is most of it. */
function countedOf({ plan, tasks, ...rest }: MissionState): MissionStateRecord {
  return {
    ...rest,
    ...{ brief: '', provided: [], shared: [], head_hash: '', waves: (plan?.waves.length ?? 1) - 1 },
    // An ended mission whose tasks have not all ended is kept with all of them, until they have.
    tasks: tasks.map((task) => ({ ...task, result: '', message: '', checkpoint: '', answers: [] })),
  };
}

const ends: ReadonlySet<string> = new Set([
  'task_completed',
  'task_attempt_failed',
  'task_failed',
  'task_cancelled',
]);
