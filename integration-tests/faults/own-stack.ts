/**
 * Brokers, a registry and a PostgreSQL that belong to the campaign alone, on free ports, so that it may kill them. Each
 * broker has a second listener, which it advertises at an address of the proxy: services know no other way to it.
 */
import { appendFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Failure } from '#chassis/failures.ts';
import { apicurioCommand, confluentPath, frontCommand, setGlobalCompatibility } from '#local/apicurio.ts';
import {
  type Broker,
  type BrokerCount,
  type BrokerName,
  bootstrapOf,
  brokersOf,
  isBroker,
} from '#local/brokers.ts';
import { fetchJars } from '#local/jars.ts';
import { findJava } from '#local/java.ts';
import { clusterIdIn, dataFolder, prepareKafka, settingsFile } from '#local/kafka.ts';
import { logFile } from '#local/logs.ts';
import { choosePorts, isFree, wishes } from '#local/ports.ts';
import { maintenance, makeDatabase, preparePostgres } from '#local/postgres.ts';
import { type Command, isRunning, launch, stop } from '#local/processes.ts';
import { databaseProbe, kafkaProbe, type Probe, registryProbe, untilReady } from '#local/ready.ts';
import { down } from '#local/stack.ts';
import { type ComponentName, type StackState, writeState } from '#local/state.ts';
import { Cluster } from './cluster.ts';
import { type Disk, makeDisk, removeDisk } from './disk.ts';
import { FaultProxy } from './proxy.ts';

const jarsFolder = resolve(import.meta.dirname, '../../.ravenhelm/jars');

/** The log of a single broker is on a file system of its own where one can be made, so that it can be full. */
const brokerDisk = '1500m';

interface Component {
  readonly command: Command;
  readonly probe: Probe;
}

/** Where services reach a broker: what it advertises, and what is behind. */
interface Way {
  readonly proxy: number;
  readonly behind: number;
}

export class OwnStack {
  private readonly dir: string;
  private readonly state: StackState;
  private readonly parts = new Map<ComponentName, Component>();
  private readonly ways = new Map<BrokerName, Way>();
  private java = { file: '', classPath: '' };
  /** Brokers that the campaign has killed or frozen. */
  private readonly away = new Set<BrokerName>();
  /** Where the broker's log is when it has a file system of its own; else why it has none. */
  disk: Disk = { why: 'not tried' };
  proxy!: FaultProxy;
  /** Null where there is one broker: it leads everything, or nothing does. */
  cluster: Cluster | null = null;
  /** The brokers' own addresses, and the proxy's; with commas between. */
  direct = '';
  proxied = '';
  registry = '';
  database = '';

  private constructor(dir: string, state: StackState) {
    this.dir = dir;
    this.state = state;
  }

  /** Starts all of it in `dir`. What a campaign that was killed has left there is stopped first. */
  static async start(dir: string, brokers: BrokerCount, signal: AbortSignal): Promise<OwnStack> {
    await OwnStack.clear(dir);
    const ports = await choosePorts(wishes('free', brokers), new Set(), () => {});
    const state: StackState = {
      version: 1,
      kind: 'jvm',
      brokers,
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

  get brokers(): readonly Broker[] {
    return brokersOf(this.state);
  }

  private async startAll(signal: AbortSignal): Promise<void> {
    const { dir, state, brokers } = this;
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
    this.java = { file: java.file, classPath: jars.kafka };
    const free = await freePorts(2 * brokers.length, Math.max(...Object.values(ports)) + 1);
    for (const [i, { name }] of brokers.entries())
      this.ways.set(name, { proxy: free[2 * i] ?? 0, behind: free[2 * i + 1] ?? 0 });
    const ways = [...this.ways.values()];
    if (brokers.length === 1) this.disk = await makeDisk(dataFolder(dir, 'kafka'), brokerDisk);
    for (const broker of brokers) await this.prepare(broker, signal);
    this.proxy = await FaultProxy.open(ways);
    this.direct = bootstrapOf(state).join(',');
    this.proxied = ways.map(({ proxy }) => `127.0.0.1:${proxy}`).join(',');
    this.registry = `http://127.0.0.1:${ports.registry}`;
    const registry = { dir, java: java.file, jar: jars.registry, ports, brokers: bootstrapOf(state), env };
    const apicurio = `http://127.0.0.1:${ports.apicurio}${confluentPath}`;
    this.parts.set('apicurio', { command: apicurioCommand(registry), probe: registryProbe(apicurio) });
    this.parts.set('registry', { command: frontCommand(registry), probe: registryProbe(this.registry) });
    const postgres = await preparePostgres({
      dir,
      port: ports.postgres,
      log: logFile(dir, 'postgres'),
      place: null,
      placed: async (place) => {
        state.postgresPlace = place;
        await this.save();
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
      this.upBrokers(signal)
        .then(() => this.up('apicurio', signal))
        .then(() => this.up('registry', signal))
        .then(() => setGlobalCompatibility(this.registry, signal)),
    ]);
    if (brokers.length > 1) this.cluster = Cluster.start(java.file, jars.kafka, bootstrapOf(state));
  }

  /** Formats what is new, and writes the settings with the second listener. */
  private async prepare(broker: Broker, signal: AbortSignal): Promise<void> {
    const { dir, brokers, java } = this;
    const { env } = process;
    const clusterId = await clusterIdIn(dir, brokers);
    const command = await prepareKafka({
      dir,
      java: java.file,
      classPath: java.classPath,
      broker,
      brokers,
      clusterId,
      env,
      signal,
    });
    const way = this.ways.get(broker.name);
    if (way === undefined) throw new Failure('internal_error', `there is no way to ${broker.name}`);
    await appendFile(settingsFile(dir, broker.name), brokerSettings(broker, way));
    this.parts.set(broker.name, { command, probe: kafkaProbe(`127.0.0.1:${broker.kafka}`) });
  }

  /** All at once: none of several is ready before most of them run. */
  async upBrokers(signal: AbortSignal): Promise<void> {
    await Promise.all(this.brokers.map(({ name }) => this.up(name, signal)));
  }

  /** Starts a component unless it runs, thaws it, and waits until it answers. */
  async up(name: ComponentName, signal: AbortSignal): Promise<void> {
    const { command, probe } = this.part(name);
    const running = this.state.processes[name];
    let ended: Promise<string> | undefined;
    if (running === undefined || !(await isRunning(running))) {
      const launched = await launch(command);
      ended = launched.ended;
      this.state.processes[name] = launched.record;
      await this.save();
    } else if (isBroker(name) && this.away.has(name)) process.kill(running.pid, 'SIGCONT');
    await untilReady({
      step: isBroker(name) ? 'kafka' : name === 'apicurio' ? 'registry' : name,
      probe,
      deadline: 120_000,
      ...(ended === undefined ? {} : { ended }),
      log: command.log,
      signal,
      report: () => {},
    });
    if (isBroker(name)) this.away.delete(name);
  }

  /** kill -9. */
  async kill(name: ComponentName): Promise<void> {
    await this.end(name, 'SIGKILL', 5000);
  }

  /** SIGTERM: a broker gives its leaders away first. */
  async terminate(name: BrokerName): Promise<void> {
    await this.end(name, 'SIGTERM', 60_000);
  }

  private async end(name: ComponentName, ask: 'SIGKILL' | 'SIGTERM', grace: number): Promise<void> {
    if (isBroker(name)) this.away.add(name);
    const record = this.state.processes[name];
    if (record !== undefined) await stop(record, { ask, grace });
  }

  /** SIGSTOP, until `up`. */
  freeze(name: BrokerName): void {
    const record = this.state.processes[name];
    if (record === undefined) throw new Failure('internal_error', `${name} does not run`);
    this.away.add(name);
    process.kill(record.pid, 'SIGSTOP');
  }

  /** Deletes all that a broker that is down has held: as if its machine were replaced. */
  async empty(broker: Broker, signal: AbortSignal): Promise<void> {
    await rm(dataFolder(this.dir, broker.name), { recursive: true, force: true });
    await this.prepare(broker, signal);
  }

  /** The ids of the brokers that the campaign has killed or frozen. */
  awayIds(): readonly number[] {
    return this.brokers.filter(({ name }) => this.away.has(name)).map(({ id }) => id);
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

  private saved = Promise.resolve();

  /** One after the other: brokers are started side by side. */
  private save(): Promise<void> {
    this.saved = this.saved.then(() => writeState(this.dir, this.state));
    return this.saved;
  }

  async stop(): Promise<void> {
    this.cluster?.close();
    await this.proxy?.close();
    // One that is frozen could not be asked to end.
    for (const { name } of this.brokers) if (this.away.has(name)) await this.kill(name);
    await OwnStack.clear(this.dir);
  }

  /** Ends what the state file in `dir` names, and deletes its data. */
  private static async clear(dir: string): Promise<void> {
    await down({ dir, volumes: false, signal: AbortSignal.timeout(120_000) });
    await removeDisk(dataFolder(dir, 'kafka'));
    await down({ dir, volumes: true, signal: AbortSignal.timeout(60_000) });
  }
}

async function freePorts(count: number, from: number): Promise<number[]> {
  const found: number[] = [];
  for (let port = from; found.length < count; port++) if (await isFree(port)) found.push(port);
  return found;
}

/** Later lines of a properties file win. */
function brokerSettings({ kafka, controller }: Broker, { behind, proxy }: Way): string {
  const lines = [
    `listeners=PLAINTEXT://127.0.0.1:${kafka},PROXIED://127.0.0.1:${behind},CONTROLLER://127.0.0.1:${controller}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${kafka},PROXIED://127.0.0.1:${proxy}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name=PLAINTEXT',
    // The cleaner looks often, so that a fault can compact what it has just seen written.
    'log.cleaner.backoff.ms=1000',
  ];
  return `${lines.join('\n')}\n`;
}
