/**
 * Runs one command, whatever it does: bounded in time and output, and gone afterwards with all its children.
 *
 * The command leads a process group of its own. A watchdog in that group waits for the end of a pipe that this
 * process holds: when a worker dies, even by SIGKILL, its commands die with it, so that whoever resumes the task
 * does not run beside them. A child that leaves the group on purpose (setsid) is out of reach here; in a sandbox
 * (`sandbox.ts`), whose first process is in the group, it is not.
 */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { Failure } from '#chassis/failures.ts';

export interface CommandOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Aborting ends the command and throws the signal's reason. */
  readonly signal: AbortSignal;
  readonly stdout: OutputSink;
  readonly stderr: OutputSink;
  /**
   * True for a command in a sandbox that writes `{"child-pid": n}` to INFO_FD: the group of that process is what is
   * told to end, because the sandbox itself would end at once, with all that is in it.
   */
  readonly sandboxed?: boolean;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs?: number;
}

/** Takes output while it is read; the next chunk is read when it has taken this one. Must not reject. */
export interface OutputSink {
  push(chunk: Buffer): Promise<void>;
}

export interface CommandOutcome {
  /** null when a signal ended it. */
  readonly exitCode: number | null;
  readonly endedBy: NodeJS.Signals | null;
  readonly timedOut: boolean;
}

/** Where a sandbox says which process it is. */
export const INFO_FD = 4;

/**
 * For `/bin/sh -c`, followed by a name and the command: the watchdog waits for the end of fd 3 and kills the group. It
 * ignores the SIGTERM that the group gets first; the command itself does not inherit fd 3.
 */
export const WATCHED =
  '{ trap "" TERM INT HUP; read -r _; kill -KILL 0; } <&3 >/dev/null 2>&1 4>&- & exec 3<&-; exec "$@"';

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
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...(options.sandboxed ? (['pipe'] as const) : [])],
    });
    let inside: number | undefined;
    let stopping = false;
    child.stdio[INFO_FD]?.on('data', (chunk: Buffer) => {
      inside ??= Number(/"child-pid": (\d+)/.exec(chunk.toString())?.[1] ?? Number.NaN) || undefined;
      if (stopping) killGroup(inside, 'SIGTERM');
    });
    const reading = Promise.all([
      readInto(options.stdout, child.stdout),
      readInto(options.stderr, child.stderr),
    ]);
    // The command may end before the pipes do: that is no error.
    for (const stream of child.stdio) stream?.on('error', () => {});

    let timedOut = false;
    let killing: NodeJS.Timeout | undefined;
    let draining: NodeJS.Timeout | undefined;
    const stop = () => {
      stopping = true;
      // Of a sandbox that has not yet said which process it is, nothing else would be told to end in good order.
      killGroup(options.sandboxed ? inside : child.pid, 'SIGTERM');
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
      inside = undefined;
      // The watchdog keeps the group, and so its id, alive until here: no other process can be meant.
      killGroup(child.pid, 'SIGKILL');
      draining = setTimeout(() => {
        for (const stream of child.stdio) stream?.destroy();
      }, DRAIN_MS);
    });
    child.once('close', (exitCode, endedBy) => {
      done();
      // A sink may still be at work on the last chunk.
      void reading.then(() => {
        if (signal.aborted) reject(signal.reason);
        else resolve({ exitCode, endedBy, timedOut });
      });
    });
  });
}

async function readInto(sink: OutputSink, stream: Readable | null): Promise<void> {
  try {
    for await (const chunk of stream ?? []) await sink.push(chunk as Buffer);
  } catch {
    // The pipe was closed because the command has ended.
  }
}

export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Already gone.
  }
}
