/**
 * Limits of the processes of a command.
 *
 * The number of processes is RLIMIT_NPROC. Since Linux 5.14 it counts within a user namespace, so each sandbox has a
 * count of its own; before, it counted all processes of the user on the machine, and would refuse the first. Root is
 * exempt from it on any Linux: there `process-group.ts` uses a control group.
 */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import type { SandboxRules } from '#roles/sandbox-front-matter.ts';

const MIB = 1024 * 1024;
/** The largest file that a command may write, in bytes. */
const FILE_BYTES = 4 * 1024 * MIB;
const OPEN_FILES = 4_096;
/** The first process of a sandbox, and the one outside that waits for it. */
export const OWN_PROCESSES = 2;

/**
 * Options of `prlimit`. Data and not address space: the runtimes of JavaScript, Java and Go reserve much more address
 * space than they use. No limit is above what the worker itself has, which none but root could set.
 */
export function resourceLimits(rules: SandboxRules): string[] {
  const hard = hardLimits();
  const option = (name: string, line: string, wanted: number) => {
    const value = Math.min(wanted, hard.get(line) ?? Number.POSITIVE_INFINITY);
    return `--${name}=${value}:${value}`;
  };
  return [
    option('core', 'Max core file size', 0),
    option('data', 'Max data size', rules.memory_mb * MIB),
    option('fsize', 'Max file size', FILE_BYTES),
    option('cpu', 'Max cpu time', rules.cpu_seconds),
    option('nofile', 'Max open files', OPEN_FILES),
    ...(countsPerNamespace() ? [option('nproc', 'Max processes', rules.processes + OWN_PROCESSES)] : []),
  ];
}

let limits: ReadonlyMap<string, number> | null = null;

/** By the names in `/proc/self/limits`. */
function hardLimits(): ReadonlyMap<string, number> {
  limits ??= new Map(
    [...readFileSync('/proc/self/limits', 'utf8').matchAll(/^(Max [a-z ]+?) {2,}\S+ +(\S+)/gm)].map(
      ([, name = '', value]) => [name, value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value)],
    ),
  );
  return limits;
}

/** Whether RLIMIT_NPROC counts the processes of a sandbox alone. */
export function countsPerNamespace(kernel = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 14);
}
