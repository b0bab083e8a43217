import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import { withLock } from '#local/lock.ts';
import { identityOf } from '#local/processes.ts';
import { withLog } from './log-file.ts';
import { revive } from './revive.ts';
import { type Counts, countFlags, kinds, type ServiceKind } from './services.ts';
import { readSupervisorFile, type SupervisorRecord } from './state-file.ts';

export interface StartSettings {
  readonly dir: string;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly counts: Counts;
  readonly firstPort: number;
  readonly signal: AbortSignal;
}

/** How a service is told to people and scripts; `orphaned` is one whose supervisor is gone. */
export interface ServiceStatus {
  readonly name: string;
  readonly pid: number | null;
  readonly state: string;
  readonly restarts: number;
}

export type Started = 'started' | 'restarted' | 'revived' | 'already_running';

const lockOf = (dir: string) => join(dir, 'supervisor.lock');

const writtenWithinMs = 15_000;
/** Longer than the supervisor itself gives its services. */
const stopWithinMs = 45_000;

/**
 * Starts the supervisor detached, or finds it running, and then has it start again what it has given up. One that was
 * started for other addresses, another namespace, other roles or other numbers of services is stopped first; so is
 * one that is ending, and what a dead one has left behind.
 */
export async function startSupervisor(to: StartSettings): Promise<Started> {
  const settings = settingsOf(to);
  return withLock(lockOf(to.dir), to.signal, async () => {
    const found = await readSupervisorFile(to.dir);
    const runs = found !== null && (await isRunning(found));
    const ending = found?.services.some(({ state }) => state === 'stopped') === true;
    if (runs && !ending && found.settings === settings) {
      return (await revive(to.dir, found, to.signal)) ? 'revived' : 'already_running';
    }
    if (found !== null) await end(found, to.signal);
    await launch(to, settings);
    return runs ? 'restarted' : 'started';
  });
}

/** Stops the supervisor and all its services; false when there was nothing to stop. */
export async function stopSupervisor(dir: string, signal: AbortSignal): Promise<boolean> {
  return withLock(lockOf(dir), signal, async () => {
    const found = await readSupervisorFile(dir);
    return found === null ? false : end(found, signal);
  });
}

/** The services as the supervisor sees them, or as it left them. Empty when it has never run here. */
export async function serviceStates(dir: string): Promise<readonly ServiceStatus[]> {
  const found = await readSupervisorFile(dir);
  if (found === null) return [];
  const supervised = await isRunning(found);
  return Promise.all(
    found.services.map(async ({ name, pid, identity, state, restarts }) => {
      if (supervised) return { name, pid, state, restarts };
      const lives = pid !== null && identity !== null && (await identityOf(pid)) === identity;
      return { name, pid: lives ? pid : null, state: lives ? 'orphaned' : 'stopped', restarts };
    }),
  );
}

export async function supervisorRuns(dir: string): Promise<boolean> {
  const found = await readSupervisorFile(dir);
  return found !== null && isRunning(found);
}

/**
 * What was asked for when this was started, as far as the services depend on it. Everybody can see the arguments of a
 * process, and an address may hold a password: so it is a hash.
 */
function settingsOf({ env, counts }: StartSettings): string {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, RAVENHELM_ROLES, RAVENHELM_PREFIX = 'ravenhelm' } = env;
  const { RAVENHELM_RETRY_POLICY } = env;
  const models = modelSettings(env);
  const asked = {
    KAFKA_BROKERS,
    SCHEMA_REGISTRY_URL,
    RAVENHELM_ROLES,
    RAVENHELM_PREFIX,
    models,
    RAVENHELM_RETRY_POLICY,
    ...counts,
  };
  return hash('sha256', JSON.stringify(asked));
}

const modelVariable = /^(?:RAVENHELM_MODEL(?:_\w+)?|(?:ANTHROPIC|OPENAI)_(?:API_KEY|BASE_URL)|OLLAMA_HOST)$/;

/**
 * Workers read which models there are, and the keys, when they start: with others than before, they start again. Of
 * the values only a hash is kept, as keys are among them.
 */
export function modelSettings(env: NodeJS.ProcessEnv): string {
  const said = Object.entries(env).filter(([name, value]) => modelVariable.test(name) && value !== '');
  if (said.length === 0) return '';
  return hash('sha256', JSON.stringify(said.toSorted(([a], [b]) => (a < b ? -1 : 1)))).slice(0, 16);
}

/** The numbers of services that run, when a supervisor does. */
export async function runningCounts(dir: string): Promise<Partial<Counts>> {
  const found = await readSupervisorFile(dir);
  if (found === null || !(await isRunning(found))) return {};
  // A kind that none runs of was not there yet when that supervisor was started.
  const running = kinds.map((kind) => [kind, found.services.filter(({ name }) => isOf(kind, name)).length]);
  return Object.fromEntries(running.filter(([, number]) => number !== 0)) as Partial<Counts>;
}

const isOf = (kind: ServiceKind, name: string): boolean => name === kind || name.startsWith(`${kind}-`);

async function launch(to: StartSettings, settings: string): Promise<void> {
  const log = join(to.dir, 'logs', 'supervisor.log');
  const args = [
    join(import.meta.dirname, 'main.ts'),
    ...['--dir', to.dir, '--cwd', to.cwd, '--settings', settings, '--first-port', String(to.firstPort)],
    ...countFlags(to.counts),
  ];
  const child = withLog(log, (fd) =>
    spawn(process.execPath, args, { cwd: to.cwd, env: to.env, detached: true, stdio: ['ignore', fd, fd] }),
  );
  const outcome: { how: string | null } = { how: null };
  child.once('exit', (code, signal) => {
    outcome.how = signal ?? `exit code ${code}`;
  });
  child.once('error', (error) => {
    outcome.how = error.message;
  });
  child.unref();
  for (
    const deadline = performance.now() + writtenWithinMs;
    ;
    await sleep(50, undefined, { signal: to.signal })
  ) {
    if (outcome.how !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      const why =
        outcome.how === null
          ? `did not start within ${writtenWithinMs / 1000} s`
          : `ended at once (${outcome.how})`;
      throw new Failure('services_not_running', `the supervisor ${why}; its log: ${log}`);
    }
    if ((await readSupervisorFile(to.dir))?.pid === child.pid) return;
  }
}

async function end(found: SupervisorRecord, signal: AbortSignal): Promise<boolean> {
  let stopped = await endProcess(found.pid, found.identity, stopWithinMs, signal);
  // Only a supervisor that was killed leaves anybody behind; these are draining by themselves then.
  const left = found.services.map(async ({ pid, identity }) =>
    pid !== null && identity !== null ? endProcess(pid, identity, 15_000, signal) : false,
  );
  for (const was of await Promise.all(left)) stopped ||= was;
  return stopped;
}

/** SIGTERM, and SIGKILL when the time is over; false when it was gone already. Never touches a process not ours. */
async function endProcess(
  pid: number,
  identity: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const lives = async () => (await identityOf(pid)) === identity;
  if (!(await lives())) return false;
  for (const [ask, patience] of [
    ['SIGTERM', withinMs],
    ['SIGKILL', 5000],
  ] as const) {
    send(pid, ask);
    for (const deadline = performance.now() + patience; performance.now() < deadline; ) {
      await sleep(50, undefined, { signal });
      if (!(await lives())) return true;
    }
  }
  throw new Failure('deadline_exceeded', `process ${pid} does not end, not even on SIGKILL`);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function isRunning({ pid, identity }: SupervisorRecord): Promise<boolean> {
  return (await identityOf(pid)) === identity;
}
