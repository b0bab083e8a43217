import TinyQueue from 'tinyqueue';
import { Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import { metrics } from '#chassis/metrics.ts';
import type { Outbox } from '#chassis/outbox.ts';
import { partitionOf } from '#chassis/partitioner.ts';
import type { InputRecord, PartitionLogic, Urgency } from '#chassis/processor.ts';
import type { Codec } from '#schemas/codec.ts';
import type * as records from '#schemas/types.gen.ts';
import type { TopicNames } from '#topics/table.ts';
import { type Absence, Absences, type AgentsView, absenceReport, isAbsenceKey } from './absences.ts';
import { decodeAssignment, decodeMission, decodePlan, missionPrefix, planPrefix } from './changelog.ts';
import { decide } from './decide.ts';
import { Dispatcher, isDispatchKey } from './dispatch.ts';
import type { FactDraft, FactType } from './facts.ts';
import type { Decision, IgnoreReason, Input, TimerInput } from './input.ts';
import { inputOf, readCommand } from './intake.ts';
import { noTail, seal, type Tail } from './ledger.ts';
import { MissionClocks } from './mission-clocks.ts';
import { traceDecision } from './mission-span.ts';
import type { Plan } from './plan.ts';
import { checkRules, type Rules } from './rules.ts';
import { Sender } from './sender.ts';
import { fromRecords, type MissionState, missionHasEnded, toRecords } from './state.ts';
import { changesStatus, missionStatus } from './status.ts';
import { dueTimers, nextDue, renewLease, timerId } from './timers.ts';

export interface MissionsSettings {
  readonly partition: number;
  /** Partitions of the missions topic, and so of everything that is keyed by mission. */
  readonly partitions: number;
  readonly topics: TopicNames;
  /** Roles that have a topic. */
  readonly roles: ReadonlySet<string>;
  readonly agents: AgentsView;
  /** How many assignments a role may have outstanding in this partition; null: as many as its agents can hold. */
  readonly outstanding: number | null;
  readonly rules: Rules;
  readonly codec: Codec;
  readonly log: Logger;
}

interface Mission {
  readonly state: MissionState;
  readonly tail: Tail;
  /** The wave that started last. */
  readonly wave: number;
}

/** How many assignments a role has outstanding whose agents are not known, and at least when they are. */
const outstandingOf = { unknown: 32, least: 4 };

/** Facts that let somebody go on: their transaction is not kept waiting for company. */
const quiet: ReadonlySet<FactType> = new Set(['task_started', 'task_completed', 'task_attempt_failed']);

/** The missions of one partition: the shell around `decide` and `evolve`, and the only writer of the ledger. */
export class Missions implements PartitionLogic {
  private readonly settings: MissionsSettings;
  private readonly active = new Map<string, Mission>();
  /** Only known so that a mission is not run twice: 100 bytes each. */
  private readonly ended = new Set<string>();
  private readonly changed = new Set<string>();
  /** The plan of each mission as the changelog has it: it is written when it changes, not with every state. */
  private readonly writtenPlans = new Map<string, Plan>();
  private readonly restoring = new Map<string, Buffer>();
  private readonly alarms = new TinyQueue<{ due: number; id: string }>([], (a, b) => a.due - b.due);
  private readonly dueAt = new Map<string, number>();
  private readonly unscheduled = new Set<string>();
  private readonly clocks = new MissionClocks();
  private readonly dispatcher: Dispatcher;
  private readonly sender: Sender;
  private readonly absences: Absences;

  constructor(settings: MissionsSettings) {
    const { agents, outstanding } = settings;
    this.settings = settings;
    this.dispatcher = new Dispatcher({
      limit: (role) =>
        outstanding ?? Math.max(outstandingOf.least, agents.capacity(role) || outstandingOf.unknown),
    });
    this.sender = new Sender(settings, this.dispatcher);
    this.absences = new Absences(agents);
  }

  restore(key: string, value: Buffer | null): void {
    if (value === null) this.restoring.delete(key);
    else this.restoring.set(key, value);
  }

  restored(now: number): void {
    const { codec } = this.settings;
    const waiting: Buffer[] = [];
    for (const [key, bytes] of this.restoring) {
      if (isDispatchKey(key)) waiting.push(bytes);
      if (isAbsenceKey(key)) this.absences.restore(key);
      if (!key.startsWith(missionPrefix)) continue;
      const id = key.slice(missionPrefix.length);
      const planBytes = this.restoring.get(planPrefix + id);
      const plan = planBytes === undefined ? null : decodePlan(codec, planBytes);
      const { state, tail } = fromRecords(decodeMission(codec, bytes), plan);
      if (missionHasEnded(state)) {
        this.ended.add(id);
        continue;
      }
      checkRules(state, this.settings.rules);
      this.active.set(id, { state, tail, wave: highestWave(state) });
      if (state.plan !== null) this.writtenPlans.set(id, state.plan);
      this.clocks.saw(id, state.updated_at, now);
      this.unscheduled.add(id);
    }
    this.restoring.clear();
    const states = new Map([...this.active].map(([id, { state }]) => [id, state]));
    this.dispatcher.restore(
      waiting.map((bytes) => [bytes, decodeAssignment(codec, bytes)]),
      states,
    );
  }

  ready(): boolean {
    return true;
  }

  handle(record: InputRecord, now: number, out: Outbox): Urgency {
    if (record.topic === this.settings.topics.missions) return this.handleCommand(record, now, out);
    return this.handleReport(record, now, out);
  }

  private handleCommand(record: InputRecord, now: number, out: Outbox): Urgency {
    const { topics, codec, partition, partitions } = this.settings;
    const command = readCommand(record);
    const home = partitionOf(command.mission_id, partitions);
    const headers = record.traceparent === null ? {} : { headers: { traceparent: record.traceparent } };
    if (home !== partition) {
      const { mission_id, event_id } = command;
      const value = codec.encodeRecord('MissionCommand', {
        ...command.command,
        correlation_id: mission_id,
        event_id,
      });
      out.send(topics.missions, { key: mission_id, value, partition: home, ...headers });
      return 'urgent';
    }
    const { roles, rules } = this.settings;
    const input = inputOf(command, record.traceparent ?? '', roles, rules.ofNew);
    return this.apply(command.mission_id, input, command.event_id, now, out);
  }

  private handleReport(record: InputRecord, now: number, out: Outbox): Urgency {
    const { name, value } = record.decoded;
    switch (name) {
      case 'TaskStarted':
      case 'TaskCompleted':
      case 'TaskAttemptFailed':
      case 'TaskReleased':
      case 'ReviewRequested':
      case 'SafetyViolation':
      case 'AgentHandoff':
      case 'DependencyRequired':
      case 'DependencyResolved':
      case 'DecisionRecorded':
      case 'CheckpointCreated':
      case 'ContextSynced':
      case 'EventEmitted':
      case 'ErrorRaised':
      case 'TaskRequested':
      case 'PauseRequested':
      case 'AggregationStarted':
      case 'AggregationCompleted':
      case 'AggregationTimedOut':
      case 'ReactionsSettled':
      case 'RoleUnavailable':
        return this.apply(value.correlation_id, { kind: 'report', event: value }, value.event_id, now, out);
      case 'TaskHeartbeat':
        return this.renew(value, now);
      default:
        throw new Failure('unexpected_type', `found ${name} on ${record.topic}, expected a report of a task`);
    }
  }

  /** Counted from when it is read, so that no clock but ours matters and a late reading only lengthens the lease. */
  private renew({ correlation_id: id, payload }: records.TaskHeartbeat, clock: number): Urgency {
    const mission = this.active.get(id);
    if (mission === undefined) return this.ignore(id, this.ended.has(id) ? 'MissionEnded' : 'MissionUnknown');
    const { task_id, attempt, lease } = payload;
    const now = this.timeOf(id, mission.state, clock);
    const renewed = renewLease(mission.state, task_id, attempt, lease, now + mission.state.policy.lease_ms);
    if (typeof renewed === 'string') return this.ignore(id, renewed);
    this.keep(id, { ...mission, state: renewed });
    return 'lazy';
  }

  /** The clock may be set back, or have been ahead in another process; the ledger's time goes on. */
  private timeOf(id: string, { updated_at }: MissionState, clock: number): number {
    if (this.clocks.saw(id, updated_at, clock)) this.unscheduled.add(id);
    return this.clocks.at(id, clock);
  }

  private apply(id: string, input: Input, causation_id: string, clock: number, out: Outbox): Urgency {
    if (this.ended.has(id)) {
      return this.ignore(
        id,
        input.kind === 'submit' || input.kind === 'refuse' ? 'MissionAlreadyKnown' : 'MissionEnded',
      );
    }
    const mission = this.active.get(id) ?? null;
    const now = mission === null ? clock : this.timeOf(id, mission.state, clock);
    const decision: Decision = decide(mission?.state ?? null, input, { now });
    if (decision.kind === 'ignored') return this.ignore(id, decision.reason);
    const { state, facts } = decision;
    const sealed = seal(facts, {
      mission_id: id,
      priority: state.priority,
      causation_id,
      now,
      tail: mission?.tail ?? noTail,
      codec: this.settings.codec,
    });
    const wave = facts.reduce(
      (last, fact) => (fact.event_type === 'wave_started' ? fact.payload.wave : last),
      mission?.wave ?? 0,
    );
    const next = { state, tail: sealed.tail, wave };
    // All that can throw comes before the first effect, so that a refused input has changed nothing.
    this.checkRoles(facts);
    const status = facts.some((fact) => changesStatus.has(fact.event_type)) ? this.encodeStatus(next) : null;
    this.sender.publish(sealed.events, state, out);
    if (missionHasEnded(state)) this.absences.drop(id);
    if (status !== null) out.send(this.settings.topics.status, { key: id, value: status });
    this.keep(id, next);
    traceDecision({ state, facts, cost_usd: state.spent.cost_usd }, out);
    this.note(id, facts);
    return facts.every((fact) => quiet.has(fact.event_type)) ? 'lazy' : 'urgent';
  }

  private encodeStatus({ state, tail, wave }: Mission): Buffer {
    return this.settings.codec.encode(
      missionStatus(state, tail, `${state.mission_id}:status:${tail.sequence}`, wave),
    );
  }

  /** A record to a topic that does not exist would fail the whole transaction, again and again. */
  private checkRoles(facts: readonly FactDraft[]): void {
    for (const fact of facts) {
      if (fact.event_type !== 'task_assigned' || this.settings.roles.has(fact.payload.role)) continue;
      const { task_id, role } = fact.payload;
      throw new Failure('role_unknown', `task ${task_id}: no topic for role ${JSON.stringify(role)}`);
    }
  }

  private keep(id: string, mission: Mission): void {
    this.active.set(id, mission);
    this.changed.add(id);
    this.unscheduled.add(id);
  }

  private note(id: string, facts: readonly FactDraft[]): void {
    const { log } = this.settings;
    for (const fact of facts) metrics.facts.inc({ event_type: fact.event_type });
    if (!log.isLevelEnabled('info')) return;
    for (const { event_type, payload } of facts) {
      if (event_type.startsWith('mission_'))
        log.info({ mission: id, event_type, ...summary(payload) }, 'decision');
      else log.debug({ mission: id, event_type, ...summary(payload) }, 'decision');
    }
  }

  private ignore(id: string, reason: IgnoreReason): Urgency {
    metrics.ignored.inc({ reason });
    this.settings.log.debug({ mission: id, reason }, 'ignored');
    return 'lazy';
  }

  /** Looks which missions wait for roles that nobody runs; call it about once a second. The next alarm tells them. */
  look(now: number): void {
    this.absences.look(this.dispatcher, now);
  }

  nextAlarm(): number | null {
    if (this.absences.due.length > 0 || this.dispatcher.hasRoom()) return 0;
    for (const id of this.unscheduled) {
      const state = this.active.get(id)?.state;
      const dueThere = state === undefined ? null : nextDue(state);
      const due = dueThere === null ? null : this.clocks.clockAt(id, dueThere);
      if (due === null) this.dueAt.delete(id);
      else if (this.dueAt.get(id) !== due) {
        this.dueAt.set(id, due);
        this.alarms.push({ due, id });
      }
    }
    this.unscheduled.clear();
    // Entries that have moved since stay in the queue and are passed over here.
    for (let next = this.alarms.peek(); next !== undefined; next = this.alarms.peek()) {
      if (this.dueAt.get(next.id) === next.due) return next.due;
      this.alarms.pop();
    }
    return null;
  }

  alarm(now: number, out: Outbox): void {
    for (const absence of this.absences.take()) this.tellAbsence(absence, now, out);
    this.sender.drain(out);
    for (let due = this.nextAlarm(); due !== null && due <= now; due = this.nextAlarm()) {
      const id = this.alarms.pop()?.id;
      if (id === undefined) return;
      this.dueAt.delete(id);
      const state = this.active.get(id)?.state;
      if (state === undefined) continue;
      this.unscheduled.add(id);
      for (const timer of dueTimers(state, this.timeOf(id, state, now))) this.fire(id, timer, now, out);
    }
  }

  private tellAbsence(absence: Absence, now: number, out: Outbox): void {
    const state = this.active.get(absence.mission)?.state;
    if (state === undefined || !this.absences.tell(absence)) return;
    const event = absenceReport(state, absence, now);
    try {
      this.apply(absence.mission, { kind: 'report', event }, event.event_id, now, out);
    } catch (error) {
      this.settings.log.error({ ...absence, error: String(error) }, 'an absence could not be told');
    }
  }

  /** One mission's timer that cannot be decided must not stop those of the others. */
  private fire(id: string, timer: TimerInput, now: number, out: Outbox): void {
    try {
      this.apply(id, timer, timerId(id, timer), now, out);
    } catch (error) {
      this.unscheduled.delete(id);
      this.settings.log.error({ mission: id, timer, error: String(error) }, 'a timer could not be decided');
    }
  }

  *changes(): Iterable<readonly [string, Buffer | null]> {
    const { codec } = this.settings;
    for (const id of this.changed) {
      const mission = this.active.get(id);
      if (mission === undefined) continue;
      const written = toRecords(mission.state, mission.tail);
      yield [missionPrefix + id, codec.encodeRecord('MissionState', written.mission)];
      const before = this.writtenPlans.get(id);
      if (written.plan !== null && mission.state.plan !== null) {
        if (before !== mission.state.plan)
          yield [planPrefix + id, codec.encodeRecord('MissionPlan', written.plan)];
        this.writtenPlans.set(id, mission.state.plan);
      } else if (before !== undefined) {
        yield [planPrefix + id, null];
        this.writtenPlans.delete(id);
      }
      if (missionHasEnded(mission.state)) {
        this.ended.add(id);
        this.active.delete(id);
        this.clocks.forget(id);
      }
    }
    this.changed.clear();
    yield* this.dispatcher.changes();
    yield* this.absences.changes();
  }

  close(): void {
    this.active.clear();
    this.dispatcher.close();
  }
}

/** The highest wave of which a task has been assigned: what a restored mission shows until its next wave starts. */
function highestWave({ plan, tasks }: MissionState): number {
  return tasks.reduce(
    (wave, task, i) => (task.attempt > 0 ? Math.max(wave, plan?.tasks[i]?.wave ?? 0) : wave),
    0,
  );
}

/** The short fields of a payload: what a log line has room for. */
function summary(payload: FactDraft['payload']): Record<string, unknown> {
  const wanted = [
    'task_id',
    'role',
    'wave',
    'attempt',
    'lease',
    'agent',
    'code',
    'message',
    'timer',
    'reason',
    'name',
  ];
  return Object.fromEntries(Object.entries(payload).filter(([field]) => wanted.includes(field)));
}
