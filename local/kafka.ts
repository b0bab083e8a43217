import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Failure } from '#chassis/failures.ts';
import { type Command, plainEnvironment } from './processes.ts';
import { writeAtomically } from './state.ts';

const logging = fileURLToPath(new URL('./kafka/log4j2.properties', import.meta.url));

export interface KafkaOptions {
  dir: string;
  java: string;
  classPath: string;
  ports: { kafka: number; controller: number };
  log: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/**
 * One broker that is its own controller. Writes its settings, and formats its directory when that is new.
 * Throws `stack_component_failed` when Kafka refuses to format it.
 */
export async function prepareKafka(o: KafkaOptions): Promise<Command> {
  const data = join(o.dir, 'data', 'kafka');
  const settings = join(o.dir, 'kafka.properties');
  await mkdir(data, { recursive: true });
  await writeAtomically(settings, kafkaSettings(data, o.ports));
  const flags = [
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${logging}`,
    '-cp',
    o.classPath,
  ];
  const inherited = plainEnvironment(o.env);
  if (!(await isFormatted(data))) {
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId(), '-c', settings];
    try {
      const limits = { signal: o.signal, timeout: 60_000 };
      await promisify(execFile)(o.java, [...flags, ...format], { env: inherited, ...limits });
    } catch (cause) {
      o.signal.throwIfAborted();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Failure('stack_component_failed', `kafka could not format ${data}: ${why}`, { cause });
    }
  }
  return {
    name: 'kafka',
    file: o.java,
    args: [...flags, 'kafka.Kafka', settings],
    // The ports are in the file: they belong to what a changed command is told by.
    inherited,
    env: { RAVENHELM_PORTS: `${o.ports.kafka},${o.ports.controller}` },
    cwd: o.dir,
    log: o.log,
    account: null,
  };
}

async function isFormatted(data: string): Promise<boolean> {
  return access(join(data, 'meta.properties')).then(
    () => true,
    () => false,
  );
}

/** 16 bytes as Kafka writes them; never with a `-` first, which its command line takes for an option. */
export function clusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

/** Names and values as in `server.properties`; all listeners are on loopback. */
export function kafkaSettings(data: string, ports: { kafka: number; controller: number }): string {
  const settings: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${ports.kafka},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.kafka}`,
    'log.dirs': data,
    'auto.create.topics.enable': false,
    // There is one node to replicate to.
    'default.replication.factor': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // Few partitions of the internal topics: they are opened and loaded at each start.
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.num.partitions': 8,
    // No waiting for more members, or for more offsets: both cost each service its start, or each commit 5 ms.
    'group.initial.rebalance.delay.ms': 0,
    'group.coordinator.append.linger.ms': 0,
    // A broker that was killed comes back only when its last session has ended; 9 s unless told.
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 500,
    // Compaction's table is on the heap; the default would take a quarter of it.
    'log.cleaner.enable': true,
    'log.cleaner.dedupe.buffer.size': 33_554_432,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${escaped(String(value))}`);
  return `# Written by \`ravenhelm up\`; changes are lost.\n${lines.join('\n')}\n`;
}

/** In a Java properties file a backslash escapes, and a value's leading blanks are lost. */
function escaped(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/^ /, '\\ ');
}
