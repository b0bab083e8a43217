import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Failure } from '#chassis/failures.ts';
import type { Broker, BrokerName } from './brokers.ts';
import { logFile } from './logs.ts';
import { type Command, plainEnvironment } from './processes.ts';
import { writeAtomically } from './state.ts';

const logging = fileURLToPath(new URL('./kafka/log4j2.properties', import.meta.url));

export interface KafkaOptions {
  dir: string;
  java: string;
  classPath: string;
  broker: Broker;
  /** All of the cluster, this one among them. */
  brokers: readonly Broker[];
  clusterId: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

export function dataFolder(dir: string, name: BrokerName): string {
  return join(dir, 'data', name);
}

export function settingsFile(dir: string, name: BrokerName): string {
  return join(dir, `${name}.properties`);
}

/**
 * One broker that is a controller, too. Writes its settings, and formats its directory when that is new.
 * Throws `stack_component_failed` when Kafka refuses to format it.
 */
export async function prepareKafka(o: KafkaOptions): Promise<Command> {
  const { name } = o.broker;
  const data = dataFolder(o.dir, name);
  const settings = settingsFile(o.dir, name);
  await mkdir(data, { recursive: true });
  await writeAtomically(settings, kafkaSettings(data, o.broker, o.brokers));
  const flags = [
    // Several share a laptop.
    o.brokers.length === 1 ? '-Xmx512m' : '-Xmx384m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${logging}`,
    '-cp',
    o.classPath,
  ];
  const inherited = plainEnvironment(o.env);
  if (!(await isFormatted(data))) {
    const format = ['kafka.tools.StorageTool', 'format', '-t', o.clusterId, '-c', settings];
    try {
      // Several are formatted side by side, and a loaded machine is slow.
      const limits = { signal: o.signal, timeout: 120_000 };
      await promisify(execFile)(o.java, [...flags, ...format], { env: inherited, ...limits });
    } catch (cause) {
      o.signal.throwIfAborted();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Failure('stack_component_failed', `${name} could not format ${data}: ${why}`, { cause });
    }
  }
  return {
    name,
    file: o.java,
    args: [...flags, 'kafka.Kafka', settings],
    // The ports are in the file: they belong to what a changed command is told by.
    inherited,
    env: { RAVENHELM_PORTS: o.brokers.flatMap(({ kafka, controller }) => [kafka, controller]).join(',') },
    cwd: o.dir,
    log: logFile(o.dir, name),
    account: null,
  };
}

/** That of the brokers that are formatted already, else a new one: all of a cluster are formatted with the same. */
export async function clusterIdIn(dir: string, brokers: readonly Broker[]): Promise<string> {
  for (const { name } of brokers) {
    const text = await readFile(join(dataFolder(dir, name), 'meta.properties'), 'utf8').catch(() => '');
    const found = /^cluster\.id=(.+)$/m.exec(text)?.[1];
    if (found !== undefined) return found.trim();
  }
  return newClusterId();
}

async function isFormatted(data: string): Promise<boolean> {
  return access(join(data, 'meta.properties')).then(
    () => true,
    () => false,
  );
}

/** 16 bytes as Kafka writes them; never with a `-` first, which its command line takes for an option. */
export function newClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

/** Names and values as in `server.properties`; all listeners are on loopback. */
export function kafkaSettings(data: string, broker: Broker, brokers: readonly Broker[]): string {
  const copies = brokers.length;
  // With one copy fewer than there are, so that one broker can be away.
  const inSync = Math.max(1, copies - 1);
  const settings: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': broker.id,
    'controller.quorum.voters': brokers
      .map(({ id, controller }) => `${id}@127.0.0.1:${controller}`)
      .join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${broker.kafka},CONTROLLER://127.0.0.1:${broker.controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker.kafka}`,
    'log.dirs': data,
    'auto.create.topics.enable': false,
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': inSync,
    // Few partitions of the internal topics: they are opened and loaded at each start.
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.num.partitions': 8,
    // No waiting for more members, or for more offsets: both cost each service its start, or each commit 5 ms.
    'group.initial.rebalance.delay.ms': 0,
    'group.coordinator.append.linger.ms': 0,
    ...(copies === 1 ? soonBack : {}),
    // Compaction's table is on the heap; the default would take a quarter of it.
    'log.cleaner.enable': true,
    'log.cleaner.dedupe.buffer.size': 33_554_432,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${escaped(String(value))}`);
  return `# Written by \`ravenhelm up\`; changes are lost.\n${lines.join('\n')}\n`;
}

/**
 * A broker that was killed comes back only when its last session has ended; 9 s unless told. With others beside it a
 * short session would only move leaders away from a broker that is busy.
 */
const soonBack = { 'broker.session.timeout.ms': 2000, 'broker.heartbeat.interval.ms': 500 };

/** In a Java properties file a backslash escapes, and a value's leading blanks are lost. */
function escaped(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/^ /, '\\ ');
}
