import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Failure } from '#chassis/failures.ts';
import { choosePorts, wishes } from './ports.ts';
import type { Report } from './progress.ts';
import { databaseProbe, kafkaProbe, registryProbe, untilReady } from './ready.ts';
import { type PortName, type Ports, type StackState, writeState } from './state.ts';

const composeFile = fileURLToPath(new URL('../docker-compose.yml', import.meta.url));
const run = promisify(execFile);

/** An engine that hangs is as good as none. */
const detection = 8_000;
const pullAndStart = 15 * 60_000;

/** Whether an engine answers and `docker compose` is there; if not, in a few words why. */
export async function dockerAnswers(
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<{ found: true } | { found: false; why: string }> {
  const deadline = AbortSignal.timeout(detection);
  const options = { env, signal: AbortSignal.any([signal, deadline]) };
  try {
    // A format makes `info` exit with an error when the engine does not answer.
    await run('docker', ['version', '--format', '{{.Server.Version}}'], options);
  } catch (error) {
    signal.throwIfAborted();
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { found: false, why: missing ? 'Docker is not installed' : 'the Docker engine does not answer' };
  }
  try {
    await run('docker', ['compose', 'version'], options);
    return { found: true };
  } catch {
    signal.throwIfAborted();
    return { found: false, why: 'Docker has no `docker compose`' };
  }
}

/** The name of the stack of a directory: one project each, so that stacks stand side by side. */
export function projectName(dir: string): string {
  return `ravenhelm-${createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 8)}`;
}

/** Arguments of `docker` for a command of compose on the stack of `dir`. */
export function composeArguments(dir: string, command: string[]): string[] {
  return ['compose', '--project-name', projectName(dir), '--file', composeFile, ...command];
}

/** What `docker-compose.yml` reads from the environment. */
export function composeEnvironment(ports: Ports): Record<string, string> {
  return {
    RAVENHELM_KAFKA_PORT: String(ports.kafka),
    RAVENHELM_REGISTRY_PORT: String(ports.registry),
    RAVENHELM_POSTGRES_PORT: String(ports.postgres),
    RAVENHELM_CONSOLE_PORT: String(ports.console),
  };
}

export interface DockerOptions {
  dir: string;
  ports: 'default' | 'free';
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  report: Report;
}

/** `docker compose up`, then waits until all answer from here. On failure or abort what was not running is stopped. */
export async function upDocker(o: DockerOptions, before: StackState | null): Promise<StackState> {
  const running = before?.kind === 'docker' && (await services(o.dir, o.env, o.signal)).length > 0;
  // Their ports are held by the engine for us.
  const keep = new Set<PortName>(running ? ['kafka', 'registry', 'postgres', 'console'] : []);
  keep.add('controller').add('apicurio');
  const ports = await choosePorts(before?.ports ?? wishes(o.ports), keep, (name, from, to) => {
    const note = `port ${from} (${name}) is taken: ${to} is used instead`;
    o.report({ step: 'ports', state: 'progress', note });
  });
  const state: StackState = {
    version: 1,
    kind: 'docker',
    brokers: 1,
    ports,
    processes: {},
    // The password is the one in docker-compose.yml: the port is on loopback only.
    database: `postgres://ravenhelm:ravenhelm@127.0.0.1:${ports.postgres}/ravenhelm`,
    postgresPlace: before?.postgresPlace ?? null,
  };
  await writeState(o.dir, state);
  try {
    await compose(o, ports, ['up', '--detach', '--wait', '--wait-timeout', '300']);
    await answering(o, state);
  } catch (error) {
    if (!running) await downDocker(o.dir, o.env, state, false);
    throw error;
  }
  return state;
}

async function answering(o: DockerOptions, state: StackState): Promise<void> {
  const { signal, report } = o;
  const wait = { deadline: 60_000, log: null, signal, report };
  await Promise.all([
    untilReady({ ...wait, step: 'kafka', probe: kafkaProbe(`127.0.0.1:${state.ports.kafka}`) }),
    untilReady({
      ...wait,
      step: 'registry',
      probe: registryProbe(`http://127.0.0.1:${state.ports.registry}`),
    }),
    untilReady({ ...wait, step: 'postgres', probe: databaseProbe(state.database) }),
  ]);
}

/** Stops the containers; with `volumes` their data go too. */
export async function downDocker(
  dir: string,
  env: NodeJS.ProcessEnv,
  state: StackState,
  volumes: boolean,
): Promise<void> {
  const args = composeArguments(dir, ['down', '--timeout', '30', ...(volumes ? ['--volumes'] : [])]);
  try {
    await run('docker', args, { env: { ...env, ...composeEnvironment(state.ports) }, timeout: 120_000 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure('stack_component_failed', `docker compose could not stop the stack: ${why}`, { cause });
  }
}

export interface ComposeService {
  name: string;
  state: string;
}

/** The stack's containers that exist, running or not. */
export async function services(
  dir: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<ComposeService[]> {
  const args = composeArguments(dir, ['ps', '--all', '--format', 'json']);
  const { stdout } = await run('docker', args, { env, signal, timeout: 15_000 });
  return servicesIn(stdout);
}

/** `docker compose ps --format json` writes one document a line; before 2.21 it wrote one list. */
export function servicesIn(output: string): ComposeService[] {
  const documents = output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => JSON.parse(line) as unknown);
  return documents.map((document) => {
    const { Service, State, Health } = document as { Service?: string; State?: string; Health?: string };
    return { name: Service ?? '', state: Health ? `${State} (${Health})` : (State ?? '') };
  });
}

async function compose(o: DockerOptions, ports: Ports, command: string[]): Promise<void> {
  o.report({ step: 'docker', state: 'start' });
  const child = spawn('docker', composeArguments(o.dir, ['--progress', 'plain', ...command]), {
    env: { ...o.env, ...composeEnvironment(ports) },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.any([o.signal, AbortSignal.timeout(pullAndStart)]),
  });
  let last = '';
  const told = (chunk: string) => {
    last = (last + chunk).slice(-4_000);
    const note = chunk.trim().split('\n').at(-1);
    if (note) o.report({ step: 'docker', state: 'progress', note });
  };
  child.stdout.setEncoding('utf8').on('data', told);
  child.stderr.setEncoding('utf8').on('data', told);
  const code = await new Promise<number | null>((settle, reject) => {
    child.once('close', settle);
    child.once('error', reject);
  }).catch((cause) => {
    o.signal.throwIfAborted();
    throw new Failure('stack_component_failed', `docker compose could not be run: ${cause.message}`, {
      cause,
    });
  });
  if (code !== 0) {
    throw new Failure('stack_component_failed', `docker compose failed (exit code ${code}):\n${last.trim()}`);
  }
  o.report({ step: 'docker', state: 'done' });
}
