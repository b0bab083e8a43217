import { asFailure, Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import { metrics } from '#chassis/metrics.ts';
import type { Outbox } from '#chassis/outbox.ts';
import { partitionOf } from '#chassis/partitioner.ts';
import type { InputRecord, PartitionLogic, Urgency } from '#chassis/processor.ts';
import { SetAside } from '#chassis/set-aside.ts';
import { endsMission, type FactEvent, isFact } from '#orchestrator/facts.ts';
import type { ReactionReport } from '#orchestrator/input.ts';
import type { Codec } from '#schemas/codec.ts';
import type { MissionCommand, Records } from '#schemas/types.gen.ts';
import type { TopicNames } from '#topics/table.ts';
import { correlate, type Standing } from './decide.ts';
import { reported } from './metrics.ts';
import { type Correlation, fromRecords, type OwnReactions, toRecords } from './state.ts';

export interface CorrelationsSettings {
  readonly partition: number;
  /** Partitions of the ledger, and so of everything that is keyed by mission. */
  readonly partitions: number;
  readonly topics: TopicNames;
  readonly codec: Codec;
  readonly log: Logger;
  /** What holds for every mission, for a fact of this time (epoch ms). */
  readonly standing: (time: number) => Standing;
}

/** So many names and ids always fit into a record. */
const fewEntries = 1000;
const mostStateBytes = 900_000;

const statePrefix = 'mission/';
const reactionsPrefix = 'reactions/';

/** The missions of one partition: the shell around `correlate`. It has no clock, and so no alarm. */
export class Correlations implements PartitionLogic {
  private readonly settings: CorrelationsSettings;
  private readonly known = new Map<string, Correlation>();
  private readonly changed = new Set<string>();
  /** What the changelog has: the progress of a mission changes often, what it reacts to never. */
  private readonly written = new Map<string, OwnReactions | null>();
  private readonly restoring = new Map<string, Buffer>();
  private readonly setAside: SetAside;
  /** Missions that were set aside, and have ended. */
  private readonly over = new Set<string>();

  constructor(settings: CorrelationsSettings) {
    this.settings = settings;
    this.setAside = new SetAside(settings.partition, settings.log);
  }

  restore(key: string, value: Buffer | null): void {
    if (value === null) this.restoring.delete(key);
    else this.restoring.set(key, value);
  }

  restored(): void {
    for (const [key, bytes] of this.restoring) {
      if (!key.startsWith(statePrefix)) continue;
      const id = key.slice(statePrefix.length);
      try {
        this.restoreMission(id, bytes);
      } catch (error) {
        this.setAside.add(id, asFailure(error).message);
      }
    }
    this.restoring.clear();
  }

  private restoreMission(id: string, bytes: Buffer): void {
    const state = this.decode('CorrelationState', bytes);
    const reactions = this.restoring.get(reactionsPrefix + id);
    const own = reactions === undefined ? null : this.decode('MissionReactions', reactions);
    const correlation = fromRecords(state, own);
    this.known.set(id, correlation);
    this.written.set(id, correlation.own);
  }

  /** What a person should know of this partition. */
  problems(): string[] {
    return this.setAside.problems();
  }

  private decode<N extends 'CorrelationState' | 'MissionReactions'>(name: N, bytes: Buffer): Records[N] {
    const decoded = this.settings.codec.decode(bytes);
    if (decoded.name !== name)
      throw new Failure('internal_error', `changelog: found ${decoded.name}, expected ${name}`);
    return decoded.value as Records[N];
  }

  ready(): boolean {
    return true;
  }

  handle(record: InputRecord, _now: number, out: Outbox): Urgency {
    const fact = factOf(record);
    const { topics, standing } = this.settings;
    const id = fact.correlation_id;
    if (this.setAside.has(id)) return this.passOver(fact);
    const before = this.known.get(id) ?? null;
    const rules = { standing: standing(fact.timestamp), ledger: topics.coordination };
    const { state, reports, missions } = correlate(before, fact, rules);
    this.checkSize(state);
    // All that can throw comes before the first effect, so that a refused record has changed nothing.
    const { traceparent } = record;
    const sent = [
      ...reports.map((report) => this.report(report, traceparent)),
      ...missions.map((command) => this.command(command)),
    ];
    for (const { topic, ...outgoing } of sent) out.send(topic, outgoing);
    if (state !== before) {
      if (state === null) this.known.delete(id);
      else this.known.set(id, state);
      this.changed.add(id);
    }
    this.note(reports, missions);
    return sent.length > 0 ? 'urgent' : 'lazy';
  }

  /** Nothing reacts in a mission that is set aside. With its end it is forgotten. */
  private passOver({ correlation_id: id, event_type }: FactEvent): Urgency {
    metrics.ignored.inc({ reason: 'MissionSetAside' });
    if (endsMission.has(event_type)) {
      this.setAside.ended(id);
      this.over.add(id);
    }
    return 'lazy';
  }

  /** A state that the changelog does not take would fail every transaction of the partition, again and again. */
  private checkSize(state: Correlation | null): void {
    if (state === null) return;
    const events = [...state.joins.values()].reduce((sum, { expected }) => sum + expected.length, 0);
    if (events + state.tasks.size + state.counts.size + state.reports.size < fewEntries) return;
    const { length } = this.settings.codec.encodeRecord('CorrelationState', toRecords(state).state);
    if (length <= mostStateBytes) return;
    throw new Failure(
      'record_too_large',
      `mission ${state.mission_id}: found a state of ${length} bytes, expected at most ${mostStateBytes}`,
    );
  }

  /** To the partition of the mission, which is ours. */
  private report(report: ReactionReport, traceparent: string | null) {
    const { topics, codec, partition } = this.settings;
    const headers = traceparent === null ? {} : { headers: { traceparent } };
    return {
      topic: topics.reports,
      key: report.correlation_id,
      value: codec.encode(report),
      partition,
      ...headers,
    };
  }

  /** To the partition where the new mission will live. Its trace follows from its id: the same record each time. */
  private command(command: MissionCommand) {
    const { topics, codec, partitions } = this.settings;
    const key = command.correlation_id;
    const value = codec.encodeRecord('MissionCommand', command);
    return { topic: topics.missions, key, value, partition: partitionOf(key, partitions) };
  }

  private note(reports: readonly ReactionReport[], missions: readonly MissionCommand[]): void {
    const { log } = this.settings;
    for (const { event_type, event_id } of reports) {
      reported.inc({ event_type });
      log.debug({ event_type, event_id }, 'reported');
    }
    for (const { correlation_id: mission, causation_id } of missions) {
      reported.inc({ event_type: 'mission_submitted' });
      log.info({ mission, causation_id }, 'submitted');
    }
  }

  nextAlarm(): number | null {
    return null;
  }

  alarm(): void {}

  *changes(): Iterable<readonly [string, Buffer | null]> {
    const { codec } = this.settings;
    for (const id of this.changed) {
      const state = this.known.get(id) ?? null;
      const before = this.written.get(id);
      if (state === null) {
        // What was never written need not be forgotten.
        if (before === undefined) continue;
        yield [statePrefix + id, null];
        if (before !== null) yield [reactionsPrefix + id, null];
        this.written.delete(id);
        continue;
      }
      const records = toRecords(state);
      yield [statePrefix + id, codec.encodeRecord('CorrelationState', records.state)];
      if (records.reactions !== null && before !== state.own)
        yield [reactionsPrefix + id, codec.encodeRecord('MissionReactions', records.reactions)];
      this.written.set(id, state.own);
    }
    this.changed.clear();
    for (const id of this.over) {
      yield [statePrefix + id, null];
      yield [reactionsPrefix + id, null];
    }
    this.over.clear();
  }

  close(): void {
    this.known.clear();
    this.setAside.clear();
  }
}

function factOf({ decoded, topic }: InputRecord): FactEvent {
  const { name, value } = decoded;
  if ('event_type' in value && value.event_type !== undefined && 'payload' in value && isFact(value))
    return value;
  throw new Failure('unexpected_type', `found ${name} on ${topic}, expected a fact`);
}
