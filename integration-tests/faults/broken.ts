/**
 * Whether the campaign catches broken code: one protection after the other is taken out of a copy of this checkout, and
 * the fault that it protects from is tried on the copy. Each time the campaign has to fail.
 */
import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Failure } from '#chassis/failures.ts';
import type { BrokerCount } from '#local/brokers.ts';
import type { Options } from './options.ts';

const root = resolve(import.meta.dirname, '../..');

interface Protection {
  /** Of the patch in `broken/`. */
  readonly name: string;
  readonly what: string;
  /** The faults that must show its absence. */
  readonly faults: string;
  /** How often they are tried: what is there to be seen for a moment only, more often. */
  readonly times: number;
  /** Shapes of missions that need it most; empty: all. */
  readonly shapes: string;
  /** What takes more than one broker to go wrong. */
  readonly brokers?: BrokerCount;
}

export const protections: readonly Protection[] = [
  {
    name: 'fence',
    what: 'transactional ids are unique to a process, so that nobody is fenced',
    faults: 'zombie',
    times: 2,
    shapes: '',
  },
  {
    name: 're-read',
    what: "a partition goes on from the group's offsets, not from the positions in the changelog",
    faults: 'kill-points,kill-worker',
    times: 4,
    shapes: '',
  },
  {
    name: 'add-partitions-once',
    what: "a broker's partitions are added to a transaction beside the produces to other brokers, and all is tried again",
    faults: 'leaders-moved',
    times: 12,
    shapes: '',
    brokers: 3,
  },
  {
    name: 'produce-once',
    what: 'what failed in a transaction is produced again',
    faults: 'leaders-moved,kill-broker',
    times: 8,
    shapes: '',
    brokers: 3,
  },
  {
    name: 'outcome-by-partition',
    what: 'a broker that has answered is not asked again for what moved to it meanwhile',
    faults: 'leaders-moved',
    times: 24,
    shapes: '',
    brokers: 3,
  },
  {
    name: 'durable-timers',
    what: 'timers live only in the memory of the process that set them',
    faults: 'kill-orchestrator',
    times: 4,
    shapes: 'retries',
  },
  {
    name: 'dedupe',
    what: 'a mission that has ended is forgotten, and a submission of it is taken again',
    // One mission in five is submitted again, so what matters is that many end.
    faults: 'repeated-reports',
    times: 2,
    shapes: '',
  },
  {
    name: 'dedupe-reports',
    what: 'a report of an attempt that has ended is accepted',
    faults: 'repeated-reports',
    times: 2,
    shapes: '',
  },
];

export const patchOf = (name: string): string => resolve(import.meta.dirname, 'broken', `${name}.patch`);

/** Gives 0 when every one of them was caught. */
export async function tryBroken(
  { broken, seed, keep }: Options,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<number> {
  const names = broken?.split(',') ?? [];
  const wanted = protections.filter(({ name }) => broken === 'all' || names.includes(name));
  if (wanted.length === 0 || (broken !== 'all' && wanted.length < names.length)) {
    const known = protections.map(({ name }) => name).join(', ');
    throw new Failure('invalid_arguments', `--broken: found ${broken}, expected all or some of ${known}`);
  }
  const missed: string[] = [];
  for (const protection of wanted) {
    signal.throwIfAborted();
    say(`without ${protection.name}: ${protection.what}`);
    const copy = await copyWithout(protection.name);
    try {
      const code = await campaignIn(copy, protection, seed, signal);
      if (code === 1) say(`  caught`);
      else {
        say(`  not caught: exit code ${code}`);
        missed.push(protection.name);
      }
    } finally {
      if (!keep) rmSync(copy, { recursive: true, force: true });
    }
  }
  process.stdout.write(
    missed.length === 0
      ? `all of ${wanted.length} were caught: ${wanted.map(({ name }) => name).join(', ')}\n`
      : `not caught: ${missed.join(', ')}\n`,
  );
  return missed.length === 0 ? 0 : 1;
}

/** A copy of this checkout that lacks one protection; packages and jars are shared. */
export async function copyWithout(name: string): Promise<string> {
  const copy = mkdtempSync(join(tmpdir(), `ravenhelm-without-${name}-`));
  const left = new Set(['node_modules', '.git', '.ravenhelm']);
  cpSync(root, copy, { recursive: true, filter: (path) => path === root || !left.has(basename(path)) });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  symlinkSync(join(root, '.ravenhelm'), join(copy, '.ravenhelm'));
  try {
    await promisify(execFile)('patch', ['-p1', '--forward', '--fuzz=2', '-i', patchOf(name)], { cwd: copy });
  } catch (error) {
    rmSync(copy, { recursive: true, force: true });
    throw new Failure('internal_error', `broken/${name}.patch no longer applies: write it anew`, {
      cause: error,
    });
  }
  return copy;
}

/** The exit code: 1 for what was found, null for a signal. Nothing was found where it could not even begin. */
async function campaignIn(
  copy: string,
  { faults, times, shapes, brokers = 1 }: Protection,
  seed: number,
  signal: AbortSignal,
): Promise<number | null> {
  const args = [
    '--short',
    '--brokers',
    String(brokers),
    '--first',
    '--json',
    '--only',
    faults,
    '--shapes',
    shapes,
    '--times',
    String(times),
    '--seed',
    String(seed),
    '--missions',
    '1',
    '--patience',
    '40',
  ];
  const child = spawn(process.execPath, [join(copy, 'integration-tests/faults/main.ts'), ...args], {
    cwd: copy,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  try {
    const code = await new Promise<number | null>((done) => child.once('close', done));
    // An error of the campaign itself is no find: only one that it could print the figures of is.
    return code === 1 && Buffer.concat(chunks).includes('"violations"') ? 1 : code === 1 ? 2 : code;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
