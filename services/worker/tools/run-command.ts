/**
 * Runs one command, whatever it does: bounded in time and output, and gone afterwards with all its children.
 *
 * The command leads a process group of its own. A watchdog in that group waits for the end of a pipe that this
 * process holds: when a worker dies, even by SIGKILL, its commands die with it, so that whoever resumes the task
 * does not run beside them. A child that leaves the group on purpose (setsid) is out of reach.
 */
import { spawn } from 'node:child_process';
import { Failure } from '#chassis/failures.ts';
import { HeadAndTail } from './output.ts';

export interface CommandOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Aborting ends the command and throws the signal's reason. */
  readonly signal: AbortSignal;
  /** Bytes kept of each of stdout and stderr. */
  readonly outputLimit: number;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs?: number;
}

export interface CommandOutcome {
  /** null when a signal ended it. */
  readonly exitCode: number | null;
  readonly endedBy: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly stdout: HeadAndTail;
  readonly stderr: HeadAndTail;
}

/**
 * For `/bin/sh -c`, followed by a name and the command: the watchdog waits for the end of fd 3 and kills the group. It
 * ignores the SIGTERM that the group gets first; the command itself does not inherit fd 3.
 */
export const WATCHED =
  '{ trap "" TERM INT HUP; read -r _; kill -KILL 0; } <&3 >/dev/null 2>&1 & exec 3<&-; exec "$@"';

/** How long output may go on after the command has ended, for pipes held by a child that left the group. */
const DRAIN_MS = 500;

/** Runs `argv`; resolves however it ends. Throws only when aborted, or when no process can be made. */
export function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandOutcome> {
  const { signal } = options;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', WATCHED, 'sh', ...argv], {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const stdout = new HeadAndTail(options.outputLimit);
    const stderr = new HeadAndTail(options.outputLimit);
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    // The command may end before the pipes do: that is no error.
    for (const stream of child.stdio) stream?.on('error', () => {});

    let timedOut = false;
    let killing: NodeJS.Timeout | undefined;
    let draining: NodeJS.Timeout | undefined;
    const stop = () => {
      killGroup(child.pid, 'SIGTERM');
      killing ??= setTimeout(() => killGroup(child.pid, 'SIGKILL'), options.graceMs ?? 1_000);
    };
    const timeout = setTimeout(() => {
      timedOut = true;
      stop();
    }, options.timeoutMs);
    signal.addEventListener('abort', stop, { once: true });
    const done = () => {
      clearTimeout(timeout);
      clearTimeout(killing);
      clearTimeout(draining);
      signal.removeEventListener('abort', stop);
    };

    child.once('error', (error) => {
      done();
      reject(
        new Failure('tool_failed', `the command could not be started: ${error.message}`, { cause: error }),
      );
    });
    child.once('exit', () => {
      // The watchdog keeps the group, and so its id, alive until here: no other process can be meant.
      killGroup(child.pid, 'SIGKILL');
      draining = setTimeout(() => {
        for (const stream of child.stdio) stream?.destroy();
      }, DRAIN_MS);
    });
    child.once('close', (exitCode, endedBy) => {
      done();
      if (signal.aborted) reject(signal.reason);
      else resolve({ exitCode, endedBy, timedOut, stdout, stderr });
    });
  });
}

export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Already gone.
  }
}
