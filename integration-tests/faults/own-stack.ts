/**
 * A broker, a registry and a PostgreSQL that belong to the campaign alone, on free ports, so that it may kill them. The
 * broker has a second listener, which it advertises at the address of the proxy: services know no other way to it.
 */
import { appendFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Failure } from '#chassis/failures.ts';
import { apicurioCommand, confluentPath, frontCommand, setGlobalCompatibility } from '#local/apicurio.ts';
import { bootstrapOf, brokersOf, isBroker } from '#local/brokers.ts';
import { fetchJars } from '#local/jars.ts';
import { findJava } from '#local/java.ts';
import { newClusterId, prepareKafka } from '#local/kafka.ts';
import { logFile } from '#local/logs.ts';
import { choosePorts, wishes } from '#local/ports.ts';
import { maintenance, makeDatabase, preparePostgres } from '#local/postgres.ts';
import { type Command, isRunning, launch, stop } from '#local/processes.ts';
import { databaseProbe, kafkaProbe, type Probe, registryProbe, untilReady } from '#local/ready.ts';
import { down } from '#local/stack.ts';
import { type ComponentName, type StackState, writeState } from '#local/state.ts';
import { type Disk, makeDisk, removeDisk } from './disk.ts';
import { FaultProxy } from './proxy.ts';

const jarsFolder = resolve(import.meta.dirname, '../../.ravenhelm/jars');

/** The broker's log is on a file system of its own where one can be made, so that it can be full. */
const brokerDisk = '1500m';

interface Component {
  readonly command: Command;
  readonly probe: Probe;
}

export class OwnStack {
  private readonly dir: string;
  private readonly state: StackState;
  private readonly parts = new Map<ComponentName, Component>();
  /** Where the broker's log is when it has a file system of its own; else why it has none. */
  disk: Disk = { why: 'not tried' };
  proxy!: FaultProxy;
  direct = '';
  proxied = '';
  registry = '';
  database = '';

  private constructor(dir: string, state: StackState) {
    this.dir = dir;
    this.state = state;
  }

  /** Starts all of it in `dir`. What a campaign that was killed has left there is stopped first. */
  static async start(dir: string, signal: AbortSignal): Promise<OwnStack> {
    await OwnStack.clear(dir);
    const ports = await choosePorts(wishes('free'), new Set(), () => {});
    const state: StackState = {
      version: 1,
      kind: 'jvm',
      brokers: 1,
      ports,
      processes: {},
      database: '',
      postgresPlace: null,
    };
    const stack = new OwnStack(dir, state);
    try {
      await stack.startAll(signal);
      return stack;
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  private async startAll(signal: AbortSignal): Promise<void> {
    const { dir, state } = this;
    const { ports } = state;
    const { env } = process;
    const java = await findJava(env, signal);
    if (!java.found)
      throw new Failure('stack_unavailable', `the campaign starts a broker of its own: ${java.why}`);
    const jars = await fetchJars({
      dir: jarsFolder,
      log: join(dir, 'logs', 'maven.log'),
      env,
      signal,
      report: () => {},
    });
    const brokers = brokersOf(state);
    const [broker = bug()] = brokers;
    const [behindProxy, proxyPort] = [ports.console, ports.console + 1];
    this.disk = await makeDisk(join(dir, 'data', 'kafka'), brokerDisk);
    const kafka = await prepareKafka({
      dir,
      java: java.file,
      classPath: jars.kafka,
      broker,
      brokers,
      clusterId: newClusterId(),
      env,
      signal,
    });
    await appendFile(join(dir, 'kafka.properties'), brokerSettings(ports, behindProxy, proxyPort));
    this.proxy = await FaultProxy.open(proxyPort, behindProxy);
    this.direct = `127.0.0.1:${ports.kafka}`;
    this.proxied = `127.0.0.1:${proxyPort}`;
    this.registry = `http://127.0.0.1:${ports.registry}`;
    const registry = { dir, java: java.file, jar: jars.registry, ports, brokers: bootstrapOf(state), env };
    const apicurio = `http://127.0.0.1:${ports.apicurio}${confluentPath}`;
    this.parts.set('kafka', { command: kafka, probe: kafkaProbe(this.direct) });
    this.parts.set('apicurio', { command: apicurioCommand(registry), probe: registryProbe(apicurio) });
    this.parts.set('registry', { command: frontCommand(registry), probe: registryProbe(this.registry) });
    const postgres = await preparePostgres({
      dir,
      port: ports.postgres,
      log: logFile(dir, 'postgres'),
      place: null,
      placed: async (place) => {
        state.postgresPlace = place;
        await writeState(dir, state);
      },
      env,
      signal,
    });
    this.database = postgres.url;
    this.parts.set('postgres', {
      command: postgres.command,
      probe: databaseProbe(maintenance(postgres.url)),
    });
    await Promise.all([
      this.up('postgres', signal).then(() => makeDatabase(postgres.url, signal)),
      this.up('kafka', signal)
        .then(() => this.up('apicurio', signal))
        .then(() => this.up('registry', signal))
        .then(() => setGlobalCompatibility(this.registry, signal)),
    ]);
  }

  /** Starts a component unless it runs, and waits until it answers. */
  async up(name: ComponentName, signal: AbortSignal): Promise<void> {
    const { command, probe } = this.part(name);
    const running = this.state.processes[name];
    let ended: Promise<string> | undefined;
    if (running === undefined || !(await isRunning(running))) {
      const launched = await launch(command);
      ended = launched.ended;
      this.state.processes[name] = launched.record;
      await writeState(this.dir, this.state);
    }
    await untilReady({
      step: isBroker(name) ? 'kafka' : name === 'apicurio' ? 'registry' : name,
      probe,
      deadline: 120_000,
      ...(ended === undefined ? {} : { ended }),
      log: command.log,
      signal,
      report: () => {},
    });
  }

  /** kill -9. */
  async kill(name: ComponentName): Promise<void> {
    const record = this.state.processes[name];
    if (record !== undefined) await stop(record, { ask: 'SIGKILL', grace: 5000 });
  }

  async running(name: ComponentName): Promise<boolean> {
    const record = this.state.processes[name];
    return record !== undefined && (await isRunning(record));
  }

  private part(name: ComponentName): Component {
    const part = this.parts.get(name);
    if (part === undefined) throw new Failure('internal_error', `the campaign has no ${name}`);
    return part;
  }

  async stop(): Promise<void> {
    await this.proxy?.close();
    await OwnStack.clear(this.dir);
  }

  /** Ends what the state file in `dir` names, and deletes its data. */
  private static async clear(dir: string): Promise<void> {
    await down({ dir, volumes: false, signal: AbortSignal.timeout(60_000) });
    await removeDisk(join(dir, 'data', 'kafka'));
    await down({ dir, volumes: true, signal: AbortSignal.timeout(60_000) });
  }
}

function bug(): never {
  throw new Failure('internal_error', 'a stack without brokers');
}

/** Later lines of a properties file win. */
function brokerSettings(
  ports: { readonly kafka: number; readonly controller: number },
  behindProxy: number,
  proxyPort: number,
): string {
  const lines = [
    `listeners=PLAINTEXT://127.0.0.1:${ports.kafka},PROXIED://127.0.0.1:${behindProxy},CONTROLLER://127.0.0.1:${ports.controller}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${ports.kafka},PROXIED://127.0.0.1:${proxyPort}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name=PLAINTEXT',
    // The cleaner looks often, so that a fault can compact what it has just seen written.
    'log.cleaner.backoff.ms=1000',
  ];
  return `${lines.join('\n')}\n`;
}
