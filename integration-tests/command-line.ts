import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Namespace } from './harness.ts';

const bin = resolve(import.meta.dirname, '..', 'cli', 'ravenhelm.js');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  readonly ended: Promise<Ended>;
  interrupt(): void;
}

/** `ravenhelm` for a namespace, in processes of its own. */
export function commandLine(namespace: Namespace) {
  const home = join(namespace.folder, 'home');
  const env = { ...namespace.env, RAVENHELM_HOME: home };
  const start = (args: readonly string[], input = ''): Command => {
    const child = spawn(process.execPath, [bin, ...args], { env, cwd: namespace.folder });
    child.stdin.end(input);
    const code = new Promise<number | null>((done, failed) => {
      child.once('exit', done);
      child.once('error', failed);
    });
    const ended = Promise.all([code, text(child.stdout), text(child.stderr)]);
    return {
      ended: ended.then(([exit, stdout, stderr]) => ({ code: exit, stdout, stderr })),
      interrupt: () => void child.kill('SIGINT'),
    };
  };
  return { start, ravenhelm: (args: readonly string[], input?: string) => start(args, input).ended };
}
