import { Failure } from '#chassis/failures.ts';
import { facts, letterEvents, reports, steps } from './contents.ts';
import { forever, MiB, type Row, specOf } from './row.ts';

/** Every name of a topic. No service spells one. */
export interface TopicNames {
  readonly missions: string;
  readonly reports: string;
  readonly coordination: string;
  readonly steps: string;
  readonly status: string;
  readonly health: string;
  readonly knowledge: string;
  /** Subscriptions and aggregators that hold for every mission. */
  readonly reactions: string;
  /** Statistics of each role: of each partition of the ledger, and of all of it. */
  readonly roleParts: string;
  readonly roles: string;
  readonly dlq: string;
  /** What people ask to be done with dead letters. */
  readonly dlqRequests: string;
  /** What was decided about dead letters, and done. */
  readonly dlqEvents: string;
  tasks(role: string): string;
  /** The changelog of a service: `orchestrator`, or `worker-<role>`. */
  state(service: string): string;
  /** Records that wait before they are tried again: one of {@link retryDelays}. */
  retry(delay: string): string;
}

export function topicNames(prefix: string): TopicNames {
  return {
    missions: `${prefix}.missions`,
    reports: `${prefix}.squad.reports`,
    coordination: `${prefix}.squad.coordination`,
    steps: `${prefix}.squad.steps`,
    status: `${prefix}.squad.status`,
    health: `${prefix}.squad.health`,
    knowledge: `${prefix}.squad.knowledge`,
    reactions: `${prefix}.reactions`,
    roleParts: `${prefix}.squad.role-parts`,
    roles: `${prefix}.squad.roles`,
    dlq: `${prefix}.dlq`,
    dlqRequests: `${prefix}.dlq.requests`,
    dlqEvents: `${prefix}.dlq.events`,
    tasks: (role) => `${prefix}.squad.tasks.${role}`,
    state: (service) => `${prefix}.${service}.state`,
    retry: (delay) => `${prefix}.retry.${delay}`,
  };
}

const defaultPrefix = 'ravenhelm';

/** How long a record waits before it is tried again, by how often it was: a topic for each. */
export const retryDelays = ['1s', '2s', '4s', '8s', '16s', '30s'] as const;
export type RetryDelay = (typeof retryDelays)[number];
export const delayMs = (delay: RetryDelay): number => Number(delay.slice(0, -1)) * 1000;

/**
 * Whether a record may be sent to this topic a second time. Not to the ledger, which has one writer, and which nobody
 * but the orchestrator could have written the record to.
 */
export const takesRecordsBack = (names: TopicNames, topic: string): boolean =>
  topic === names.missions ||
  topic === names.reports ||
  topic === names.dlqRequests ||
  topic.startsWith(names.tasks(''));

/** `worker-cert_agent` as it is for the default prefix, so that `rpk group describe` reads well. */
export function groupName(prefix: string, service: string): string {
  return prefix === defaultPrefix ? service : `${prefix}.${service}`;
}

/** One id per service, input partition and slot: taking it over fences whoever had it. */
export function transactionalId(prefix: string, service: string, partition: number, slot: number): string {
  return `${transactionalIdPrefix(prefix, service)}${partition}.${slot}`;
}

/** With the dot, so that what may use `worker-a`'s ids may not use those of `worker-ab`. */
export const transactionalIdPrefix = (prefix: string, service: string) => `${prefix}.${service}.`;

/** The subject of the one schema that is named after its topic. */
export const missionsSubject = (prefix: string) => `${topicNames(prefix).missions}-value`;

/** What services are called in `writers` and `readers`. `person` is anyone at a command line or a console. */
export type ServiceName =
  | 'orchestrator'
  | 'correlator'
  | 'projector'
  | 'statistics'
  | 'statistics-roles'
  | 'supervisor'
  | 'retrier'
  | 'person'
  | `worker-${string}`;

export interface TopicSpec {
  readonly name: string;
  /** What its records are keyed by, for people. */
  readonly key: string;
  /** Subjects of its values; none: bytes that were written for another topic, or that only the chassis reads. */
  readonly subjects: readonly string[];
  readonly partitions: number;
  readonly replication: number;
  /** Topics of one set have the same number of partitions: a key lives in the same partition of each. */
  readonly together: string | null;
  readonly cleanup: 'delete' | 'compact' | 'compact,delete';
  /** Milliseconds; -1: for ever. Compacted records stay as long as they are the newest of their key. */
  readonly retentionMs: number;
  /** All settings of the topic, cleanup and retention among them, as the broker spells them. */
  readonly config: Readonly<Record<string, string>>;
  readonly writers: readonly ServiceName[];
  readonly readers: readonly ServiceName[];
}

export interface TableOptions {
  readonly prefix: string;
  readonly roles: readonly string[];
  /** Of topics keyed by mission or task. Default 4. */
  readonly partitions?: number;
  /** Copies of each partition. Default 1. */
  readonly replication?: number;
}

const day = 24 * 60 * 60 * 1000;
/** A record that waited for as long as this is no longer there. */
export const retryRetentionMs = 7 * day;
/** So is a dead letter, and whatever was said of it. */
export const letterRetentionMs = 90 * day;

/** The one table: what flows where, who writes it and who reads it. Throws Failure invalid_configuration. */
export function topicTable(options: TableOptions): TopicSpec[] {
  const { prefix, roles, partitions = 4, replication = 1 } = options;
  const names = topicNames(prefix);
  const workers = roles.map((role) => `worker-${role}` as const);
  const services = ['orchestrator', 'correlator', 'retrier', ...workers, 'projector', 'statistics'] as const;
  // The projector keeps what it cannot fold in a table.
  const processors = [
    ...(['orchestrator', 'correlator', 'retrier'] as const),
    ...workers,
    ...(['statistics', 'statistics-roles'] as const),
  ] as const;
  // What the others read is the ledger, or made of it: nothing goes back there.
  const retrying = ['orchestrator', 'retrier', ...workers] as const;
  const topic = (name: string, row: Row) => specOf(name, row, { partitions, replication });

  const table = [
    topic(names.missions, {
      key: 'mission, or none when a person wrote it',
      subjects: [missionsSubject(prefix)],
      together: 'mission',
      retentionMs: 365 * day,
      // The orchestrator passes on what came without a key, to the partition where the mission lives.
      // So do missions within missions: an assignment becomes the command that submits one.
      // A standing subscription begins a mission of its own.
      // The retrier sends back what waited, and dead letters; so it does wherever it writes inputs of others.
      writers: ['person', 'orchestrator', 'correlator', 'retrier'],
      // A person, to see whether an id was submitted before.
      readers: ['orchestrator', 'person'],
    }),
    topic(names.reports, {
      key: 'mission',
      records: reports,
      together: 'mission',
      retentionMs: 7 * day,
      // The orchestrator sends its barriers through here before a timer fires, and the ends of missions within missions.
      writers: [...workers, 'orchestrator', 'correlator', 'retrier'],
      readers: ['orchestrator'],
    }),
    topic(names.coordination, {
      key: 'mission',
      records: facts,
      together: 'mission',
      retentionMs: forever,
      writers: ['orchestrator'],
      readers: ['correlator', 'projector', 'statistics', 'person'],
    }),
    topic(names.state('orchestrator'), {
      key: 'mission, and the kind of record',
      // Assignments that wait for room are kept as they will be sent.
      records: ['MissionState', 'MissionPlan', 'TaskAssigned'],
      together: 'mission',
      cleanup: 'compact',
      writers: ['orchestrator'],
      readers: ['orchestrator'],
    }),
    topic(names.state('correlator'), {
      key: 'as the correlator does',
      together: 'mission',
      cleanup: 'compact',
      writers: ['correlator'],
      readers: ['correlator'],
    }),
    topic(names.state('statistics'), {
      key: 'mission or role, and the kind of record',
      records: ['MissionState', 'MissionPlan', 'RoleStatistics'],
      together: 'mission',
      cleanup: 'compact',
      writers: ['statistics'],
      readers: ['statistics'],
    }),
    // From here on by role: one partition is enough for as many roles as there are.
    topic(names.roleParts, {
      key: 'role/partition of the ledger',
      records: ['RoleStatistics'],
      together: 'role',
      partitions: 1,
      cleanup: 'compact',
      writers: ['statistics'],
      readers: ['statistics-roles'],
    }),
    topic(names.state('statistics-roles'), {
      key: 'role/partition of the ledger',
      records: ['RoleStatistics'],
      together: 'role',
      partitions: 1,
      cleanup: 'compact',
      writers: ['statistics-roles'],
      readers: ['statistics-roles'],
    }),
    topic(names.roles, {
      key: 'role',
      records: ['RoleStatistics'],
      partitions: 1,
      cleanup: 'compact',
      writers: ['statistics-roles'],
      readers: ['person'],
    }),
    topic(names.reactions, {
      key: 'name',
      records: ['StandingReaction'],
      partitions: 1,
      cleanup: 'compact',
      writers: ['person'],
      readers: ['correlator', 'person'],
    }),
    ...roles.flatMap((role) => [
      topic(names.tasks(role), {
        key: 'mission/task',
        records: ['TaskAssigned', 'TaskCancelled'],
        together: `worker-${role}`,
        retentionMs: 7 * day,
        writers: ['orchestrator', 'retrier'],
        readers: [`worker-${role}`],
      }),
      topic(names.state(`worker-${role}`), {
        key: 'as the chassis does',
        together: `worker-${role}`,
        cleanup: 'compact',
        writers: [`worker-${role}`],
        readers: [`worker-${role}`],
      }),
    ]),
    topic(names.steps, {
      key: 'mission/task',
      records: steps,
      retentionMs: 90 * day,
      writers: workers,
      readers: [...workers, 'projector', 'person'],
    }),
    topic(names.status, {
      key: 'mission',
      records: ['MissionStatus'],
      cleanup: 'compact',
      writers: ['orchestrator'],
      readers: ['person'],
    }),
    topic(names.health, {
      key: 'agent',
      records: ['AgentHealth', 'ServiceReady'],
      partitions: 1,
      // Each process is an agent of its own: those that are long gone are forgotten.
      cleanup: 'compact,delete',
      retentionMs: 7 * day,
      // The supervisor, of who could not say itself that it ended.
      writers: [...services, 'supervisor'],
      // The orchestrator, to know which roles somebody runs.
      readers: ['orchestrator', 'projector', 'person'],
    }),
    topic(names.knowledge, {
      key: 'pattern',
      records: ['InsightShared'],
      partitions: 1,
      cleanup: 'compact,delete',
      retentionMs: 365 * day,
      writers: workers,
      readers: workers,
    }),
    ...retryDelays.map((delay) =>
      topic(names.retry(delay), {
        key: 'as in the topic it came from',
        together: 'retrier',
        retentionMs: retryRetentionMs,
        maxBytes: 2 * MiB,
        writers: retrying,
        readers: ['retrier'],
      }),
    ),
    topic(names.dlq, {
      key: 'as in the topic it came from',
      together: 'retrier',
      retentionMs: letterRetentionMs,
      // The record as it came, and the headers that say why, have to fit.
      maxBytes: 2 * MiB,
      writers: processors,
      readers: ['retrier', 'projector', 'person'],
    }),
    topic(names.dlqRequests, {
      key: 'letter',
      records: ['DeadLetterRequested'],
      together: 'retrier',
      retentionMs: letterRetentionMs,
      // An edit carries the new bytes as base64.
      maxBytes: 2 * MiB,
      writers: ['person', 'retrier'],
      readers: ['retrier', 'person'],
    }),
    topic(names.dlqEvents, {
      key: 'letter',
      records: letterEvents,
      together: 'retrier',
      retentionMs: letterRetentionMs,
      writers: ['retrier'],
      readers: ['projector', 'person'],
    }),
    topic(names.state('retrier'), {
      key: 'letter',
      together: 'retrier',
      cleanup: 'compact',
      maxBytes: 2 * MiB,
      writers: ['retrier'],
      readers: ['retrier'],
    }),
  ];
  for (const { name } of table) checkName(name);
  return table;
}

/** The topics of the set that this one belongs to; where it belongs to none, itself. */
export function topicsTogetherWith(prefix: string, topic: string): string[] {
  const tasks = topicNames(prefix).tasks('');
  const roles = topic.startsWith(tasks) ? [topic.slice(tasks.length)] : [];
  const table = topicTable({ prefix, roles });
  const set = table.find(({ name }) => name === topic)?.together ?? null;
  return set === null ? [topic] : table.filter(({ together }) => together === set).map(({ name }) => name);
}

function checkName(name: string): void {
  if (/^[A-Za-z0-9._-]{1,249}$/.test(name)) return;
  throw new Failure(
    'invalid_configuration',
    `found the topic name '${name}', expected at most 249 letters, digits, dots, dashes and underscores`,
  );
}
