/**
 * A bound on the number of processes for a worker that is root, whom RLIMIT_NPROC does not bind: a control group of
 * the `pids` controller for each command, below the worker's own group.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { countsPerNamespace, OWN_PROCESSES } from './resource-limits.ts';

/** How processes are counted here: by RLIMIT_NPROC, by control groups below a directory, or not at all. */
export type ProcessCount =
  | { readonly by: 'rlimit' }
  | { readonly by: 'cgroup'; readonly parent: string }
  | { readonly by: 'nothing'; readonly why: string };

const PREFIX = 'ravenhelm-';
const joinAndRun = ['/bin/sh', '-c', 'echo $$ >"$0" && exec "$@"'];

let found: Promise<ProcessCount> | null = null;

/** Tried once in a process. Never rejects. */
export function processCount(): Promise<ProcessCount> {
  found ??= find();
  return found;
}

async function find(): Promise<ProcessCount> {
  if (process.getuid?.() !== 0) {
    return countsPerNamespace()
      ? { by: 'rlimit' }
      : { by: 'nothing', why: 'this Linux is older than 5.14, and counts only all processes of a user' };
  }
  for (const parent of await candidates()) {
    try {
      const group = await make(parent);
      const usable = existsSync(join(group, 'pids.max'));
      await rmdir(group);
      if (!usable) continue;
      await sweep(parent);
      return { by: 'cgroup', parent };
    } catch {
      // Not writable, or not there.
    }
  }
  return { by: 'nothing', why: 'the worker is root, and has no control group of its own for `pids`' };
}

/** The directories of our own group: with the first version of control groups, or the second. */
async function candidates(): Promise<string[]> {
  const text = await readFile('/proc/self/cgroup', 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    if (controllers.split(',').includes('pids')) return [join('/sys/fs/cgroup/pids', path)];
    return controllers === '' ? [join('/sys/fs/cgroup', path)] : [];
  });
}

async function make(parent: string): Promise<string> {
  const group = join(parent, `${PREFIX}${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(group);
  return group;
}

/** Removes what killed workers have left. A group with processes in it cannot be removed. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = /^ravenhelm-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await rmdir(join(parent, name)).catch(() => {});
  }
}

/** Has `work` run the command with a bound on its processes: it is given the argv to run. */
export async function counted<T>(
  argv: readonly string[],
  processes: number,
  work: (argv: readonly string[]) => Promise<T>,
): Promise<T> {
  const count = await processCount();
  if (count.by !== 'cgroup') return work(argv);
  const group = await make(count.parent);
  try {
    await writeFile(join(group, 'pids.max'), String(processes + OWN_PROCESSES));
    return await work([...joinAndRun, join(group, 'cgroup.procs'), ...argv]);
  } finally {
    await remove(group);
  }
}

/** The kernel may need a moment for the last of its processes; the next worker sweeps what stays. */
async function remove(group: string): Promise<void> {
  for (let pause = 1; pause < 200; pause *= 2) {
    try {
      await rmdir(group);
      return;
    } catch {
      await sleep(pause);
    }
  }
}
