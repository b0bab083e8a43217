import { join, resolve } from 'node:path';
import { Failure } from '#chassis/failures.ts';
import { addressOf, checkAnswers, givenAddress, type StackAddress } from './address.ts';
import { type BrokerCount, componentsOf, isBroker } from './brokers.ts';
import { dockerAnswers, downDocker, upDocker } from './docker.ts';
import { jarsAreThere } from './jars.ts';
import { findJava, hasMaven, oldestJava } from './java.ts';
import { deleteData, downJvm, upJvm } from './jvm.ts';
import { withLock } from './lock.ts';
import { isRunning } from './processes.ts';
import type { Progress } from './progress.ts';
import { type ComponentName, readState, type StackState } from './state.ts';

export type { StackAddress } from './address.ts';
export type { Progress } from './progress.ts';
export { type ComponentStatus, type StackStatus, status } from './status.ts';

export interface StackOptions {
  /** Data, logs and the state file. Only one stack lives in it. */
  dir: string;
  /** Where the downloaded jars are; shared by stacks that name the same. By default `<dir>/jars`. */
  jars?: string;
  /** Redpanda's ports, or (for tests, side by side) random ones. Both below 32768; a stack keeps what it once had. */
  ports?: 'default' | 'free';
  /** Only this kind of local stack, whatever else there is. */
  kind?: 'docker' | 'jvm';
  /** Three only without Docker. Not said: as many as the stack has; one when it is new. */
  brokers?: BrokerCount;
  signal: AbortSignal;
  progress: (progress: Progress) => void;
  env?: NodeJS.ProcessEnv;
}

/**
 * Gives a Kafka, a schema registry and a PostgreSQL that answer: those that the environment names, else Docker's, else
 * a Java's, started detached. What already runs is used. Safe to call from several processes at once.
 *
 * Throws `stack_incomplete_address`, `stack_unavailable` (none of the three ways is open), `stack_port_taken`,
 * `stack_other_brokers` (it was made with another number of them), `stack_component_failed` (with the end of its log),
 * and the signal's reason on abort; what this call started is stopped then.
 */
export async function up(options: StackOptions): Promise<StackAddress> {
  const { signal, progress: report, ports = 'default', env = process.env } = options;
  const given = givenAddress(env);
  if (given !== null) {
    if (options.brokers !== undefined) throw notOurs();
    await checkAnswers(given, signal, report);
    return given;
  }
  const dir = resolve(options.dir);
  const jars = resolve(options.jars ?? `${dir}/jars`);
  return withLock(join(dir, 'lock'), signal, async () => {
    const before = await readState(dir);
    const brokers = wantedBrokers(before, options.brokers);
    const way = await findWay(before, options.kind, brokers, jars, env, signal);
    if (before !== null && before.kind !== way.kind) {
      const note = `the ${before.kind} stack is stopped; its data stay where they are, but are not used now`;
      report({ step: way.kind === 'docker' ? 'docker' : 'kafka', state: 'progress', note });
      if (before.kind === 'jvm') await downJvm(dir, before);
      // Without an engine there is nothing to stop.
      else await downDocker(dir, env, before, false).catch(() => {});
    }
    const o = { dir, ports, env, signal, report };
    switch (way.kind) {
      case 'docker':
        return addressOf(await upDocker(o, before));
      case 'jvm':
        return addressOf(await upJvm({ ...o, jars, java: way.java, brokers }, before));
    }
  });
}

/** Copies of what is there are not made by a start, nor taken away. */
function wantedBrokers(before: StackState | null, wanted: BrokerCount | undefined): BrokerCount {
  if (before === null) return wanted ?? 1;
  if (wanted === undefined || wanted === before.brokers) return before.brokers;
  const count = (brokers: number) => (brokers === 1 ? 'one broker' : `${brokers} brokers`);
  throw new Failure(
    'stack_other_brokers',
    `the stack that is here was made with ${count(before.brokers)}, and keeps that number: expected ${count(wanted)}. ` +
      '`ravenhelm down --volumes` deletes it with all its data, so that the next `ravenhelm up` makes a new one; ' +
      'RAVENHELM_HOME names another folder for a stack beside it',
  );
}

const notOurs = () =>
  new Failure(
    'stack_other_brokers',
    'KAFKA_BROKERS names the brokers of a cluster that is not ours: how many it has is said there, not here',
  );

type Way = { kind: 'docker' } | { kind: 'jvm'; java: string };

function kindsToTry(
  before: StackState | null,
  wanted: StackState['kind'] | undefined,
  brokers: BrokerCount,
): readonly StackState['kind'][] {
  // Docker's stack has one.
  if (brokers > 1) return ['jvm'];
  if (wanted !== undefined) return [wanted];
  // A stack that has data stays of its kind, also when Docker has been installed since.
  return before?.kind === 'jvm' ? ['jvm', 'docker'] : ['docker', 'jvm'];
}

async function findWay(
  before: StackState | null,
  wanted: 'docker' | 'jvm' | undefined,
  brokers: BrokerCount,
  jars: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Way> {
  const reasons: string[] = [];
  const docker = async (): Promise<Way | null> => {
    const found = await dockerAnswers(env, signal);
    if (found.found) return { kind: 'docker' };
    reasons.push(found.why);
    return null;
  };
  const jvm = async (): Promise<Way | null> => {
    const java = await findJava(env, signal);
    if (!java.found) reasons.push(java.why);
    else if ((await jarsAreThere(jars)) || (await hasMaven(env, signal)))
      return { kind: 'jvm', java: java.file };
    else reasons.push('`mvn` cannot be run');
    return null;
  };
  for (const kind of kindsToTry(before, wanted, brokers)) {
    const way = kind === 'docker' ? await docker() : await jvm();
    if (way !== null) return way;
  }
  if (brokers > 1) {
    throw new Failure(
      'stack_unavailable',
      `three brokers are started without Docker, with Java ${oldestJava} or newer and Maven (${reasons.join('; ')})`,
    );
  }
  throw new Failure(
    'stack_unavailable',
    `there is no Kafka, registry and PostgreSQL to run on (${reasons.join('; ')}). One of three ways: ` +
      'set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL to what runs elsewhere; ' +
      'or start a Docker engine that has `docker compose`; ' +
      `or install Java ${oldestJava} or newer and Maven`,
  );
}

/**
 * Stops what `up` started in `dir`, and nothing else: a process is only touched when it is still the one that was
 * started. Data stay unless `volumes`; jars and logs stay always. Does nothing when nothing runs.
 */
export async function down(options: {
  dir: string;
  volumes: boolean;
  signal: AbortSignal;
  env?: NodeJS.ProcessEnv;
}): Promise<void> {
  const dir = resolve(options.dir);
  await withLock(join(dir, 'lock'), options.signal, async () => {
    const state = await readState(dir);
    if (state === null) return;
    if (state.kind === 'docker') await downDocker(dir, options.env ?? process.env, state, options.volumes);
    await downJvm(dir, state);
    if (options.volumes) await deleteData(dir, state);
  });
}

/**
 * Where the stack is, without starting anything: as the environment says, else as `up` wrote it down. Null when there
 * is none, or (where we started the processes) not all of them live; of several brokers one is enough.
 */
export async function whereIs(options: {
  dir: string;
  env?: NodeJS.ProcessEnv;
}): Promise<StackAddress | null> {
  const given = givenAddress(options.env ?? process.env);
  if (given !== null) return given;
  const state = await readState(resolve(options.dir));
  if (state === null) return null;
  if (state.kind === 'docker') return addressOf(state);
  const dead: ComponentName[] = [];
  for (const name of componentsOf(state.brokers)) {
    const record = state.processes[name];
    if (record === undefined || !(await isRunning(record))) dead.push(name);
  }
  const deadBrokers = dead.filter(isBroker).length;
  if (deadBrokers === state.brokers || dead.length > deadBrokers) return null;
  return addressOf(state);
}
