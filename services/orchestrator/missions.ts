import { asFailure, Failure } from '#chassis/failures.ts';
import { writeHeaders } from '#chassis/letter-headers.ts';
import type { Logger } from '#chassis/log.ts';
import { metrics } from '#chassis/metrics.ts';
import type { Outbox } from '#chassis/outbox.ts';
import { partitionOf } from '#chassis/partitioner.ts';
import type { InputRecord, PartitionLogic, Urgency } from '#chassis/processor.ts';
import { SetAside } from '#chassis/set-aside.ts';
import type { Codec } from '#schemas/codec.ts';
import type * as records from '#schemas/types.gen.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import type { TopicNames } from '#topics/table.ts';
import { type Absence, Absences, type AgentsView, absenceReport, isAbsenceKey } from './absences.ts';
import { decodeAssignment, decodeMission, decodePlan, missionPrefix, planPrefix } from './changelog.ts';
import { Dispatcher, isDispatchKey, missionOf } from './dispatch.ts';
import type { FactDraft, FactType } from './facts.ts';
import type { IgnoreReason, Input, ReportEvent, TimerInput } from './input.ts';
import { inputOf, readCommand } from './intake.ts';
import { LostAssignments } from './lost-assignments.ts';
import { metrics as counters } from './metrics.ts';
import { traceDecision } from './mission-span.ts';
import { MissionTimers } from './mission-timers.ts';
import type { Plan } from './plan.ts';
import { type Mission, type Prepared, prepare } from './prepare.ts';
import type { RolesWithTopics } from './roles-with-topics.ts';
import { checkRules, type Rules } from './rules.ts';
import { Sender } from './sender.ts';
import { fromRecords, isEnd, type MissionState, missionHasEnded, toRecords } from './state.ts';
import { renewLease, timerId } from './timers.ts';

export interface MissionsSettings {
  readonly partition: number;
  /** Partitions of the missions topic, and so of everything that is keyed by mission. */
  readonly partitions: number;
  readonly topics: TopicNames;
  /** Roles that a task may be for, and which of them have a topic. */
  readonly roles: Pick<RolesWithTopics, 'roles' | 'has' | 'isGone'>;
  readonly agents: AgentsView;
  /** How many assignments a role may have outstanding in this partition; null: as many as its agents can hold. */
  readonly outstanding: number | null;
  /** See `lost-assignments.ts`; ms. */
  readonly scheduleToStartMs: number;
  readonly rules: Rules;
  readonly codec: Codec;
  readonly log: Logger;
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
  private readonly timers = new MissionTimers((id) => this.active.get(id)?.state);
  private readonly dispatcher: Dispatcher;
  private readonly sender: Sender;
  private readonly absences: Absences;
  private readonly lost: LostAssignments;
  private readonly setAside: SetAside;

  constructor(settings: MissionsSettings) {
    const { agents, outstanding, roles } = settings;
    const most = (role: string) =>
      outstanding ?? Math.max(outstandingOf.least, agents.capacity(role) || outstandingOf.unknown);
    this.settings = settings;
    // A record to a topic that does not exist would fail the whole transaction, again and again.
    this.dispatcher = new Dispatcher({ limit: (role) => (roles.has(role) ? most(role) : 0) });
    this.sender = new Sender({ ...settings, roles }, this.dispatcher);
    this.absences = new Absences(agents);
    this.lost = new LostAssignments(this.dispatcher, settings);
    this.setAside = new SetAside(settings.partition, settings.log);
  }

  restore(key: string, value: Buffer | null): void {
    if (value === null) this.restoring.delete(key);
    else this.restoring.set(key, value);
  }

  restored(now: number): void {
    for (const [key, bytes] of this.restoring) {
      if (isAbsenceKey(key)) this.absences.restore(key);
      if (key.startsWith(missionPrefix)) this.restoreMission(key.slice(missionPrefix.length), bytes, now);
    }
    const states = new Map([...this.active].map(([id, { state }]) => [id, state]));
    this.dispatcher.restore(this.waitingAssignments(), states, now);
    this.restoring.clear();
  }

  private restoreMission(id: string, bytes: Buffer, now: number): void {
    const planBytes = this.restoring.get(planPrefix + id);
    const read = this.readMission(id, bytes, planBytes);
    if (read === null) return;
    const { state, tail } = read;
    if (missionHasEnded(state)) {
      this.ended.add(id);
      return;
    }
    const size = bytes.length + (planBytes?.length ?? 0);
    this.active.set(id, { state, tail, wave: highestWave(state), size });
    if (state.plan !== null) this.writtenPlans.set(id, state.plan);
    this.timers.timeOf(id, state, now);
    this.timers.touch(id);
  }

  /**
   * A mission that cannot be read is set aside, so that the others of the partition go on: null. One of rules that are not
   * known may only look so: throws Failure `rules_unknown`.
   */
  private readMission(id: string, bytes: Buffer, planBytes: Buffer | undefined) {
    const { codec, rules } = this.settings;
    try {
      const mission = decodeMission(codec, bytes);
      if (!isEnd(mission.status)) checkRules(mission, rules);
      return fromRecords(mission, planBytes === undefined ? null : decodePlan(codec, planBytes));
    } catch (error) {
      const failure = asFailure(error);
      if (failure.code === 'rules_unknown') throw failure;
      this.setAside.add(id, failure.message);
      return null;
    }
  }

  /** One that cannot be read counts as sent: it is made anew when nobody begins it. */
  private waitingAssignments(): [bytes: Buffer, event: EventOf<'task_assigned'>][] {
    const { codec, log } = this.settings;
    return [...this.restoring].flatMap(([key, bytes]) => {
      if (!isDispatchKey(key) || this.setAside.has(missionOf(key))) return [];
      try {
        return [[bytes, decodeAssignment(codec, bytes)]];
      } catch (error) {
        log.error({ key, error: String(error) }, 'changelog: no assignment');
        return [];
      }
    });
  }

  /** What a person should know of this partition. */
  problems(): string[] {
    return this.setAside.problems();
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
    if (home !== partition) {
      // Two orchestrators that count differently would pass it to each other for ever.
      if (record.forwarded === true)
        throw new Failure(
          'partitions_differ',
          `found a command of partition ${home} on ${partition}, where it was passed on to`,
        );
      const trace = record.traceparent === null ? {} : { traceparent: record.traceparent };
      const headers = { ...trace, ...writeHeaders({ forwarded: String(partition) }) };
      const { mission_id, event_id } = command;
      const value = codec.encodeRecord('MissionCommand', {
        ...command.command,
        correlation_id: mission_id,
        event_id,
      });
      out.send(topics.missions, { key: mission_id, value, partition: home, headers });
      return 'urgent';
    }
    const { roles, rules } = this.settings;
    const input = inputOf(command, record.traceparent ?? '', roles.roles, rules.ofNew);
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
    if (this.setAside.has(id)) return this.ignore(id, 'MissionSetAside');
    if (mission === undefined) return this.ignore(id, this.ended.has(id) ? 'MissionEnded' : 'MissionUnknown');
    const { task_id, attempt, lease } = payload;
    const now = this.timers.timeOf(id, mission.state, clock);
    const renewed = renewLease(mission.state, task_id, attempt, lease, now + mission.state.policy.lease_ms);
    if (typeof renewed === 'string') return this.ignore(id, renewed);
    this.keep(id, { ...mission, state: renewed });
    return 'lazy';
  }

  private apply(id: string, input: Input, causation_id: string, clock: number, out: Outbox): Urgency {
    if (this.ended.has(id)) {
      return this.ignore(
        id,
        input.kind === 'submit' || input.kind === 'refuse' ? 'MissionAlreadyKnown' : 'MissionEnded',
      );
    }
    this.setAside.check(id);
    const mission = this.active.get(id) ?? null;
    const now = mission === null ? clock : this.timers.timeOf(id, mission.state, clock);
    const { codec } = this.settings;
    // All that can throw comes before the first effect, so that a refused input has changed nothing.
    const prepared = prepare(mission, input, {
      ...{ mission_id: id, causation_id, now, codec },
      sender: this.sender,
    });
    if (typeof prepared === 'string') return this.ignore(id, prepared);
    this.take(id, prepared, clock, out);
    return prepared.facts.every((fact) => quiet.has(fact.event_type)) ? 'lazy' : 'urgent';
  }

  private take(
    id: string,
    { next, facts, events, related, status }: Prepared,
    clock: number,
    out: Outbox,
  ): void {
    const { state } = next;
    this.sender.publish(events, related, state, clock, out);
    if (missionHasEnded(state)) this.absences.drop(id);
    if (status !== null) out.send(this.settings.topics.status, { key: id, value: status });
    this.keep(id, next);
    traceDecision({ state, facts, cost_usd: state.spent.cost_usd }, out);
    this.note(id, facts);
  }

  private keep(id: string, mission: Mission): void {
    this.active.set(id, mission);
    this.changed.add(id);
    this.timers.touch(id);
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

  /**
   * Looks which missions wait for roles that nobody runs, which assignments were lost, and which can never be sent; call
   * it about once a second. The next alarm does what follows.
   */
  look(now: number): void {
    this.absences.look(this.dispatcher, now);
    this.lost.look(now);
  }

  nextAlarm(): number | null {
    if (this.absences.due.length > 0 || this.lost.due || this.dispatcher.hasRoom()) return 0;
    return this.timers.first()?.due ?? null;
  }

  /** Does all that is due, as far as the transaction has room: the rest is due in the next one. */
  alarm(now: number, out: Outbox): void {
    for (const absence of this.absences.take()) if (!out.full) this.tellAbsence(absence, now, out);
    this.sender.drain(now, out);
    this.lost.act(now, {
      stateOf: (id) => this.active.get(id)?.state,
      send: (topic, record) => out.send(topic, record),
      report: (event) => this.tell(event, now, out),
      full: () => out.full,
    });
    for (let next = this.timers.first(); next !== null && next.due <= now; next = this.timers.first()) {
      for (const timer of this.timers.due(next.id, now)) {
        if (out.full) return;
        this.fire(next.id, timer, now, out);
      }
      if (out.full) return;
    }
  }

  private tellAbsence(absence: Absence, now: number, out: Outbox): void {
    const state = this.active.get(absence.mission)?.state;
    if (state !== undefined && this.absences.tell(absence))
      this.tell(absenceReport(state, absence, now), now, out);
  }

  /** What the shell itself reports to a mission. */
  private tell(event: ReportEvent, now: number, out: Outbox): void {
    const { correlation_id: mission, event_type, event_id } = event;
    try {
      this.apply(mission, { kind: 'report', event }, event_id, now, out);
    } catch (error) {
      this.settings.log.error({ mission, event_type, error: String(error) }, 'a report could not be decided');
    }
  }

  /** A timer that cannot be decided is tried again later, and stops no other. */
  private fire(id: string, timer: TimerInput, now: number, out: Outbox): void {
    try {
      this.apply(id, timer, timerId(id, timer), now, out);
      this.timers.decided(id, timer);
    } catch (error) {
      this.timers.failed(id, timer, now);
      counters.timersFailed.inc({ timer: timer.timer, code: asFailure(error).code });
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
        this.timers.forget(id);
      }
    }
    this.changed.clear();
    yield* this.dispatcher.changes();
    yield* this.absences.changes();
  }

  close(): void {
    this.active.clear();
    this.dispatcher.close();
    this.setAside.clear();
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
