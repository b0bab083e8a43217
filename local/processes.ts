import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Failure } from '#chassis/failures.ts';
import type { ComponentName, ProcessRecord } from './state.ts';

/** Logs are moved aside at a start, once they are larger than this. */
const largestLog = 8 * 1024 * 1024;

/** A detached process: its own process group, output to a file, alive after this one has ended. */
export interface Command {
  name: ComponentName;
  file: string;
  args: string[];
  /** What it sees of the environment of whoever starts it: see plainEnvironment. */
  inherited: Record<string, string>;
  /** What we set for it on purpose. */
  env: Record<string, string>;
  cwd: string;
  log: string;
  account: Account | null;
}

/** Whom a process runs as, when not as we do. */
export interface Account {
  uid: number;
  gid: number;
}

export interface Launched {
  record: ProcessRecord;
  /** Resolves with how it ended (`exit code 1`, `SIGKILL`); stays open while it lives. */
  ended: Promise<string>;
}

/**
 * The same for the same command, so that a changed one is noticed. What differs from one shell to the other does not
 * count: the environment that it inherits, and which Node happens to run us.
 */
export function settingsOf(command: Command): string {
  const { args, env, cwd } = command;
  const file = command.file === process.execPath ? 'node' : command.file;
  return createHash('sha256')
    .update(JSON.stringify([file, args, env, cwd]))
    .digest('hex')
    .slice(0, 16);
}

export async function launch(command: Command): Promise<Launched> {
  const log = await openLog(command.log);
  try {
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: { ...command.inherited, ...command.env },
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      ...command.account,
    });
    const ended = endOf(child);
    await spawned(child, command);
    child.unref();
    const pid = child.pid;
    const identity = pid === undefined ? null : await identityOf(pid);
    if (pid === undefined || identity === null) {
      const message = `${command.name} ended at once (${await ended}); see ${command.log}`;
      throw new Failure('stack_component_failed', message);
    }
    return { record: { pid, identity, settings: settingsOf(command), log: command.log }, ended };
  } finally {
    await log.close();
  }
}

/** Is this still the process we started, and alive? */
export async function isRunning(record: ProcessRecord): Promise<boolean> {
  return (await identityOf(record.pid)) === record.identity;
}

/** Asks with `signal`, waits, and after `grace` ms ends the whole group. Never touches a process that is not ours. */
export async function stop(
  record: ProcessRecord,
  options: { ask: NodeJS.Signals; grace: number },
): Promise<void> {
  if (!(await isRunning(record))) return;
  send(record.pid, options.ask);
  if (await gone(record, options.grace)) return;
  send(-record.pid, 'SIGKILL');
  if (await gone(record, 5_000)) return;
  throw new Failure('stack_component_failed', `process ${record.pid} does not end, not even on SIGKILL`);
}

async function gone(record: ProcessRecord, within: number): Promise<boolean> {
  for (const end = performance.now() + within; performance.now() < end; await sleep(25)) {
    if (!(await isRunning(record))) return true;
  }
  return !(await isRunning(record));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Tells one process from every other that had or will have its number: its start, and (Linux) the boot it started in.
 * Null when there is no such process, or only its remains.
 */
export async function identityOf(pid: number): Promise<string | null> {
  return process.platform === 'linux' ? identityFromProc(pid) : identityFromPs(pid);
}

async function identityFromProc(pid: number): Promise<string | null> {
  try {
    const [text, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    const { state, start } = fromStat(text);
    return state === 'Z' || state === 'X' ? null : `${boot.trim()}:${start}`;
  } catch {
    return null;
  }
}

/** State and start (in ticks since the boot) from `/proc/<pid>/stat`. The second field, the name, may hold anything. */
export function fromStat(text: string): { state: string; start: string } {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', start: fields[19] ?? '' };
}

async function identityFromPs(pid: number): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      timeout: 5_000,
      env: { ...process.env, LC_ALL: 'C' },
    });
    const [state = '', ...start] = stdout.trim().split(/\s+/);
    return state === '' || state.startsWith('Z') ? null : start.join(' ');
  } catch {
    return null;
  }
}

async function openLog(path: string) {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > largestLog) await rename(path, `${path}.1`);
  return open(path, 'a', 0o600);
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
}

function spawned(child: ChildProcess, command: Command): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      const message = `${command.name} cannot be started: ${command.file}: ${cause.message}`;
      reject(new Failure('stack_component_failed', message, { cause }));
    });
  });
}

/** What a detached process may see of our environment: no keys, and nothing that would set it up by the way. */
export function plainEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'JAVA_HOME']) {
    const value = env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
