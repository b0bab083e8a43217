import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Failure } from '#chassis/failures.ts';
import { apicurioCommand, confluentPath, frontCommand, setGlobalCompatibility } from './apicurio.ts';
import {
  type Broker,
  type BrokerCount,
  bootstrapOf,
  brokerNames,
  brokersOf,
  componentsOf,
  isBroker,
  portsOfBroker,
} from './brokers.ts';
import { fetchJars } from './jars.ts';
import { clusterIdIn, prepareKafka, settingsFile } from './kafka.ts';
import { logFile } from './logs.ts';
import { choosePorts, wishes } from './ports.ts';
import { maintenance, makeDatabase, preparePostgres } from './postgres.ts';
import { type Command, isRunning, launch, settingsOf, stop } from './processes.ts';
import type { Report } from './progress.ts';
import { databaseProbe, kafkaProbe, type Probe, registryProbe, untilReady } from './ready.ts';
import { type ComponentName, type PortName, type StackState, writeState } from './state.ts';

/** How long each may take to be ready; a loaded machine is slow. */
const deadlines: Record<Kind, number> = {
  kafka: 90_000,
  postgres: 60_000,
  apicurio: 120_000,
  registry: 30_000,
};

/** How each is asked to end, and for how long it may write down what it holds. PostgreSQL: its fast shutdown. */
const endings: Record<Kind, { ask: NodeJS.Signals; grace: number }> = {
  kafka: { ask: 'SIGTERM', grace: 30_000 },
  postgres: { ask: 'SIGINT', grace: 30_000 },
  apicurio: { ask: 'SIGTERM', grace: 10_000 },
  registry: { ask: 'SIGTERM', grace: 5_000 },
};

/** Which ports a component holds. */
const portsOf = (name: ComponentName): readonly PortName[] => (isBroker(name) ? portsOfBroker(name) : [name]);

/** All brokers are treated alike. */
type Kind = 'kafka' | 'postgres' | 'apicurio' | 'registry';
const kindOf = (name: ComponentName): Kind => (isBroker(name) ? 'kafka' : name);

export interface JvmOptions {
  dir: string;
  jars: string;
  java: string;
  ports: 'default' | 'free';
  brokers: BrokerCount;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  report: Report;
}

/**
 * Starts what is not running of Kafka, PostgreSQL, Apicurio and its front, and waits until all answer. On failure or
 * abort, what this call started is stopped again.
 */
export async function upJvm(o: JvmOptions, before: StackState | null): Promise<StackState> {
  const state = await withPorts(o, before);
  await writeState(o.dir, state);
  const started: ComponentName[] = [];
  const failed = new AbortController();
  // One that fails stops the waiting for the other, so that nothing is started after the clean-up.
  const signal = AbortSignal.any([o.signal, failed.signal]);
  // One after the other, so that an older state never replaces a newer one.
  let saved = Promise.resolve();
  const save = () => {
    saved = saved.then(() => writeState(o.dir, state));
    return saved;
  };

  const ensure = async (command: Command, probe: Probe): Promise<boolean> => {
    const running = state.processes[command.name];
    let ended: Promise<string> | undefined;
    if (running === undefined || running.settings !== settingsOf(command) || !(await isRunning(running))) {
      if (running !== undefined) await stop(running, endings[kindOf(command.name)]);
      signal.throwIfAborted();
      const launched = await launch(command);
      started.push(command.name);
      state.processes[command.name] = launched.record;
      ended = launched.ended;
      await save();
    }
    const kind = kindOf(command.name);
    const step = kind === 'apicurio' ? 'registry' : kind;
    const wait = { step, probe, deadline: deadlines[kind], log: command.log, signal } as const;
    await untilReady({ ...wait, ...(ended && { ended }), report: o.report });
    return ended !== undefined;
  };

  /** `work` says whether it had to start anything. */
  const telling = async (step: 'kafka' | 'postgres' | 'registry', work: () => Promise<boolean>) => {
    const begin = performance.now();
    o.report({ step, state: 'start' });
    try {
      const anew = await work();
      const took = `${((performance.now() - begin) / 1000).toFixed(1)} s`;
      o.report({ step, state: 'done', note: anew ? `started in ${took}` : 'was running' });
    } catch (error) {
      o.report({ step, state: 'failed' });
      throw error;
    }
  };

  const postgres = async () => {
    const { dir, env } = o;
    const port = state.ports.postgres;
    const placed = async (place: string) => {
      state.postgresPlace = place;
      await save();
      const note = `PostgreSQL cannot reach ${dir} as another user than root: its files are in ${place}`;
      o.report({ step: 'postgres', state: 'progress', note });
    };
    const place = state.postgresPlace;
    const prepared = await preparePostgres({
      dir,
      port,
      log: logFile(dir, 'postgres'),
      place,
      placed,
      env,
      signal,
    });
    state.database = prepared.url;
    const anew = await ensure(prepared.command, databaseProbe(maintenance(prepared.url)));
    await makeDatabase(prepared.url, signal);
    return anew;
  };

  const kafkaAndRegistry = async () => {
    const { dir, java, env } = o;
    const { ports } = state;
    const brokers = brokersOf(state);
    const maven = join(dir, 'logs', 'maven.log');
    const jars = await fetchJars({ dir: o.jars, log: maven, env, signal, report: o.report });
    await telling('kafka', async () => {
      const kafka = { dir, java, classPath: jars.kafka, brokers, env, signal };
      const clusterId = await clusterIdIn(dir, brokers);
      const start = async (broker: Broker) =>
        ensure(
          await prepareKafka({ ...kafka, broker, clusterId }),
          kafkaProbe(`127.0.0.1:${broker.kafka}`, brokers.length),
        );
      // None of several is ready before most of them run.
      const anew = await all(brokers.map((broker) => failing(start(broker))));
      return anew.includes(true);
    });
    await telling('registry', async () => {
      const registry = { dir, java, jar: jars.registry, ports, brokers: bootstrapOf(state), env };
      const apicurio = `http://127.0.0.1:${ports.apicurio}${confluentPath}`;
      const front = `http://127.0.0.1:${ports.registry}`;
      const registryAnew = await ensure(apicurioCommand(registry), registryProbe(apicurio));
      const frontAnew = await ensure(frontCommand(registry), registryProbe(front));
      await setGlobalCompatibility(front, signal);
      return registryAnew || frontAnew;
    });
  };

  const failing = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error) => {
      failed.abort(error);
      throw error;
    });
  try {
    await all([failing(telling('postgres', postgres)), failing(kafkaAndRegistry())]);
  } catch {
    await stopThese(o.dir, state, started);
    o.signal.throwIfAborted();
    // The first to fail; the other one only followed.
    throw failed.signal.reason;
  }
  await save();
  return state;
}

/** Waits for each, and throws only then. */
async function all<T>(works: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(works);
  return Promise.all(works);
}

async function withPorts(o: JvmOptions, before: StackState | null): Promise<StackState> {
  const keep = new Set<PortName>(['console']);
  const processes: StackState['processes'] = {};
  for (const name of componentsOf(o.brokers)) {
    const record = before?.processes[name];
    if (record === undefined || !(await isRunning(record))) continue;
    processes[name] = record;
    for (const port of portsOf(name)) keep.add(port);
  }
  const ports = await choosePorts(before?.ports ?? wishes(o.ports, o.brokers), keep, (name, from, to) => {
    o.report({
      step: 'ports',
      state: 'progress',
      note: `port ${from} (${name}) is taken: ${to} is used instead`,
    });
  });
  return {
    version: 1,
    kind: 'jvm',
    brokers: o.brokers,
    ports,
    processes,
    database: before?.database ?? '',
    postgresPlace: before?.postgresPlace ?? null,
  };
}

/** Ends all that runs; the registry before the Kafka it lives on. The state stays, for the next `up`. */
export async function downJvm(dir: string, state: StackState): Promise<void> {
  await stopThese(dir, state, componentsOf(state.brokers));
}

async function stopThese(dir: string, state: StackState, names: readonly ComponentName[]): Promise<void> {
  const end = async (name: ComponentName) => {
    const record = state.processes[name];
    if (record === undefined || !names.includes(name)) return;
    await stop(record, endings[kindOf(name)]);
    delete state.processes[name];
  };
  const first = await Promise.allSettled([end('registry'), end('apicurio')]);
  const then = await Promise.allSettled([...brokerNames(state.brokers), 'postgres' as const].map(end));
  await writeState(dir, state);
  for (const outcome of [...first, ...then]) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Deletes what the stack holds, and that it ever was; the jars and the logs stay. Only for a stack that is down. */
export async function deleteData(dir: string, state: StackState): Promise<void> {
  if (state.postgresPlace !== null) await removePlace(state.postgresPlace);
  await rm(join(dir, 'data'), { recursive: true, force: true });
  for (const name of brokerNames(state.brokers)) await rm(settingsFile(dir, name), { force: true });
  await rm(join(dir, 'stack.json'), { force: true });
}

async function removePlace(place: string): Promise<void> {
  // The state file is only a file: nothing but what we made is ever deleted outside of `dir`.
  if (dirname(place) !== tmpdir() || !basename(place).startsWith('ravenhelm-postgres-')) {
    throw new Failure('stack_component_failed', `${place} is not a folder that ravenhelm made; it is left`);
  }
  await rm(place, { recursive: true, force: true });
}
