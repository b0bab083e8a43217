import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin, IResourceConfigEntry } from 'kafkajs';
import type { AclBinding } from '#topics/acls.ts';
import type { TopicSpec } from '#topics/table.ts';
import { asFailure, Failure } from './failures.ts';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ConfigResourceTypes,
  ConfigSource,
  ResourcePatternTypes,
} from './kafkajs.ts';

/** How long all that a call asks may take unless a signal says otherwise; milliseconds. */
const patience = 60_000;
/** How long brokers may take to show a change that they have accepted; milliseconds. */
const visibleWithin = 15_000;

/** Where a topic of the table is not as the table says. */
export type Drift =
  | { readonly kind: 'missing'; readonly topic: string; readonly found: null; readonly wanted: number }
  | { readonly kind: 'partitions'; readonly topic: string; readonly found: number; readonly wanted: number }
  | { readonly kind: 'copies'; readonly topic: string; readonly found: number; readonly wanted: number }
  | {
      readonly kind: 'config';
      readonly topic: string;
      readonly setting: string;
      readonly found: string;
      readonly wanted: string;
    };

export interface Applied {
  readonly created: readonly string[];
  readonly grown: readonly string[];
  readonly configured: readonly string[];
  /** What was left as it is, and why: for a person to decide. */
  readonly refused: readonly { readonly drift: Drift; readonly reason: string }[];
}

interface Found {
  readonly partitions: number;
  /** Of the partition that has fewest. */
  readonly copies: number;
  readonly settings: readonly Setting[];
}
interface Setting {
  readonly name: string;
  readonly value: string;
  /** Set for this topic, not the broker's default. */
  readonly own: boolean;
}

/**
 * What `applyTopics` would change. A setting that the broker does not report is one it does not have (Redpanda has
 * not all of Kafka's): no drift.
 */
export async function diffTopics(
  admin: Admin,
  table: readonly TopicSpec[],
  signal: AbortSignal = AbortSignal.timeout(patience),
): Promise<Drift[]> {
  const found = await describe(admin, table, signal);
  return table.flatMap((spec) => driftOf(spec, found.get(spec.name)));
}

function driftOf(spec: TopicSpec, found: Found | undefined): Drift[] {
  const { name: topic, partitions: wanted } = spec;
  if (found === undefined) return [{ kind: 'missing', topic, found: null, wanted }];
  const drift: Drift[] = [];
  if (found.partitions !== wanted) drift.push({ kind: 'partitions', topic, found: found.partitions, wanted });
  const tooFew = found.copies < spec.replication;
  if (tooFew) drift.push({ kind: 'copies', topic, found: found.copies, wanted: spec.replication });
  for (const [setting, wanted] of Object.entries(spec.config)) {
    // More in sync than there are copies, and nothing could be written any more.
    if (tooFew && setting === 'min.insync.replicas') continue;
    const value = found.settings.find(({ name }) => name === setting)?.value;
    if (value === undefined || sameValue(value, wanted)) continue;
    drift.push({ kind: 'config', topic, setting, found: value, wanted });
  }
  return drift;
}

/**
 * How many copies topics beside this one get when nobody says: as many as it has; when it is not there, three where
 * there are three brokers, else one.
 */
export async function copiesLike(
  admin: Admin,
  topic: string,
  signal: AbortSignal = AbortSignal.timeout(patience),
): Promise<number> {
  const existing = await ask(signal, () => admin.listTopics());
  if (!existing.includes(topic)) {
    const { brokers } = await ask(signal, () => admin.describeCluster());
    return brokers.length >= 3 ? 3 : 1;
  }
  const { topics } = await ask(signal, () => admin.fetchTopicMetadata({ topics: [topic] }));
  return Math.max(
    1,
    ...topics.flatMap(({ partitions }) => partitions.map(({ replicas }) => replicas.length)),
  );
}

/** Brokers order lists as they like. */
const sameValue = (one: string, other: string) =>
  one === other || one.split(',').sort().join() === other.split(',').sort().join();

/**
 * Makes the topics as the table says: creates, adds partitions to topics without records, mends settings. Never
 * deletes or shrinks. Safe to repeat, and to run twice at once.
 */
export async function applyTopics(
  admin: Admin,
  table: readonly TopicSpec[],
  signal: AbortSignal = AbortSignal.timeout(patience),
): Promise<Applied> {
  const found = await describe(admin, table, signal);
  const missing = table.filter(({ name }) => !found.has(name));
  await create(admin, missing, signal);

  const grown: string[] = [];
  const configured: string[] = [];
  const refused: { drift: Drift; reason: string }[] = [];
  for (const spec of table) {
    const before = found.get(spec.name);
    if (before === undefined) continue;
    const drift = driftOf(spec, before);
    for (const change of drift.filter(({ kind }) => kind === 'partitions')) {
      const reason = await whyNotGrow(admin, spec, before.partitions, signal);
      if (reason !== null) {
        refused.push({ drift: change, reason });
        continue;
      }
      const topicPartitions = [{ topic: spec.name, count: spec.partitions }];
      await ask(signal, () => admin.createPartitions({ topicPartitions }));
      grown.push(spec.name);
    }
    for (const change of drift.filter(({ kind }) => kind === 'copies')) {
      const reason = `${spec.name} has ${change.found} of the ${change.wanted} copies wanted: Kafka's own kafka-reassign-partitions adds them`;
      refused.push({ drift: change, reason });
    }
    const settings = drift.filter((change) => change.kind === 'config');
    if (settings.length === 0) continue;
    await configure(
      admin,
      spec.name,
      before,
      new Map(settings.map(({ setting, wanted }) => [setting, wanted])),
      signal,
    );
    configured.push(spec.name);
  }
  const created = missing.map(({ name }) => name);
  const changed = new Set([...created, ...grown, ...configured]);
  await seen(
    admin,
    table.filter(({ name }) => changed.has(name)),
    refused.map(({ drift }) => drift),
    signal,
  );
  return { created, grown, configured, refused };
}

/** Brokers answer before all of them know: who asks next, or writes, could still meet what was before. */
async function seen(
  admin: Admin,
  table: readonly TopicSpec[],
  refused: readonly Drift[],
  signal: AbortSignal,
): Promise<void> {
  const isRefused = ({ kind, topic }: Drift) =>
    refused.some((other) => other.kind === kind && other.topic === topic);
  const deadline = performance.now() + visibleWithin;
  for (;;) {
    let left: Drift | Failure | undefined;
    try {
      left = (await diffTopics(admin, table, signal)).find((drift) => !isRefused(drift));
    } catch (error) {
      // A broker that has not heard of the topic, or of its leader.
      left = asFailure(error);
      if ((left.cause as { readonly retriable?: boolean } | undefined)?.retriable !== true) throw left;
    }
    if (left === undefined) return;
    if (performance.now() > deadline) throw notSeen(left);
    await sleep(50);
  }
}

function notSeen(left: Drift | Failure): Failure {
  const after = `${visibleWithin / 1000} s after the change`;
  if (left instanceof Failure)
    return new Failure('deadline_exceeded', `${left.message}, ${after}`, { cause: left });
  const what = left.kind === 'config' ? left.setting : left.kind;
  return new Failure(
    'deadline_exceeded',
    `${left.topic} (${what}): found ${left.found}, wanted ${left.wanted}, ${after}`,
  );
}

/** With more partitions a key moves to another one: its order, its state and its newest value would be torn apart. */
async function whyNotGrow(
  admin: Admin,
  { name, partitions, together }: TopicSpec,
  found: number,
  signal: AbortSignal,
): Promise<string | null> {
  if (found > partitions) {
    return `${name} has ${found} partitions, more than the ${partitions} wanted, and partitions cannot be taken away`;
  }
  const offsets = await ask(signal, () => admin.fetchTopicOffsets(name));
  if (offsets.every(({ high }) => high === '0')) return null;
  const others = together === null ? '' : ', away from its records in the other topics of its set';
  return `${name} has records: with ${partitions} partitions instead of ${found} keys would move to other partitions${others}`;
}

async function create(admin: Admin, missing: readonly TopicSpec[], signal: AbortSignal): Promise<void> {
  if (missing.length === 0) return;
  const topics = missing.map(({ name, partitions, replication, config }) => ({
    topic: name,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: entriesOf(Object.entries(config)),
  }));
  // One request for all. Answers false when somebody else has created some meanwhile: those are there, too. kafkajs
  // would wait for leaders, but fails when a broker has not heard of the topic yet: `seen` waits instead.
  await ask(signal, () => admin.createTopics({ topics, timeout: 30_000, waitForLeaders: false }));
}

/** AlterConfigs replaces everything that is set for the topic: what is set and not ours is written again. */
async function configure(
  admin: Admin,
  topic: string,
  before: Found,
  wanted: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const merged = new Map(before.settings.filter(({ own }) => own).map(({ name, value }) => [name, value]));
  for (const [name, value] of wanted) merged.set(name, value);
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: entriesOf(merged) }];
  await ask(signal, () => admin.alterConfigs({ validateOnly: false, resources }));
}

const entriesOf = (settings: Iterable<readonly [string, string]>): IResourceConfigEntry[] =>
  [...settings].map(([name, value]) => ({ name, value }));

async function describe(
  admin: Admin,
  table: readonly TopicSpec[],
  signal: AbortSignal,
): Promise<Map<string, Found>> {
  const existing = new Set(await ask(signal, () => admin.listTopics()));
  const topics = table.map(({ name }) => name).filter((name) => existing.has(name));
  if (topics.length === 0) return new Map();
  const resources = topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name }));
  const [metadata, configs] = await Promise.all([
    ask(signal, () => admin.fetchTopicMetadata({ topics })),
    ask(signal, () => admin.describeConfigs({ resources, includeSynonyms: false })),
  ]);
  const settings = new Map(
    configs.resources.map(({ resourceName, configEntries }) => [
      resourceName,
      configEntries.map(({ configName: name, configValue: value, configSource }) => ({
        name,
        value,
        own: configSource === ConfigSource.TOPIC_CONFIG,
      })),
    ]),
  );
  return new Map(
    metadata.topics.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        copies: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        settings: settings.get(name) ?? [],
      },
    ]),
  );
}

/**
 * Allows what the bindings say; what is allowed already stays. A broker without an authorizer lets everybody do
 * everything: then nothing is done, and the answer says so.
 */
export async function applyAcls(
  admin: Admin,
  bindings: readonly AclBinding[],
  signal: AbortSignal = AbortSignal.timeout(patience),
): Promise<{ readonly applied: number; readonly skipped: string | null }> {
  const acl = bindings.flatMap(({ principal, resource, name, pattern, operations }) =>
    operations.map((operation) => ({
      principal,
      host: '*',
      resourceType: resourceTypes[resource],
      resourceName: name,
      resourcePatternType:
        pattern === 'prefixed' ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      operation: operationTypes[operation],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  );
  if (acl.length === 0) return { applied: 0, skipped: null };
  try {
    await ask(signal, () => admin.createAcls({ acl }));
    return { applied: acl.length, skipped: null };
  } catch (error) {
    const { type } = ((error as Failure).cause ?? {}) as { readonly type?: string };
    if (type !== 'SECURITY_DISABLED') throw error;
    return { applied: 0, skipped: 'the broker has no authorizer: everybody may do everything' };
  }
}

const resourceTypes = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  transactional_id: AclResourceTypes.TRANSACTIONAL_ID,
  cluster: AclResourceTypes.CLUSTER,
} as const;

const operationTypes = {
  read: AclOperationTypes.READ,
  write: AclOperationTypes.WRITE,
  describe: AclOperationTypes.DESCRIBE,
  delete: AclOperationTypes.DELETE,
  idempotent_write: AclOperationTypes.IDEMPOTENT_WRITE,
} as const;

/** One request to the brokers. kafkajs gives each a deadline of its own, but takes no signal: it is asked before. */
async function ask<T>(signal: AbortSignal, request: () => Promise<T>): Promise<T> {
  if (signal.aborted)
    throw new Failure('aborted', 'the work on topics was given up', { cause: signal.reason });
  try {
    return await request();
  } catch (error) {
    // What brokers say of several topics at once comes as a list.
    const { errors } = error as { readonly errors?: readonly (Error & { readonly topic?: string })[] };
    if (errors === undefined) throw asFailure(error, 'broker_unavailable');
    const reasons = errors.map(({ topic, message }) =>
      topic === undefined ? message : `${topic}: ${message}`,
    );
    throw new Failure('invalid_configuration', `The brokers refuse ${reasons.join('; ')}`, { cause: error });
  }
}
