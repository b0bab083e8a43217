import { link, mkdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import { identityOf } from './processes.ts';

/** Longer than a first download takes: whoever waits, waits for that. */
const longestWait = 20 * 60_000;

/**
 * Runs `work` while no other process does so under this file. A lock whose holder has died is taken over.
 * Throws `deadline_exceeded` after 20 minutes, and the signal's reason on abort.
 */
export async function withLock<T>(path: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const mine = `${process.pid} ${await identityOf(process.pid)} ${crypto.randomUUID()}`;
  await take(path, mine, signal);
  try {
    return await work();
  } finally {
    if ((await holder(path)) === mine) await unlink(path);
  }
}

async function take(path: string, mine: string, signal: AbortSignal): Promise<void> {
  // Written aside and linked, so that nobody ever sees a lock without its holder.
  const draft = `${path}.${process.pid}.${crypto.randomUUID().slice(0, 8)}`;
  await writeFile(draft, mine, { mode: 0o600 });
  try {
    const end = performance.now() + longestWait;
    while (!(await linked(draft, path))) {
      await breakIfDead(path);
      if (performance.now() > end) {
        throw new Failure('deadline_exceeded', `another process has held ${path} for 20 minutes`);
      }
      await sleep(100, undefined, { signal });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function breakIfDead(path: string): Promise<void> {
  const found = await holder(path);
  if (found === null) return;
  const [pid = '', identity = ''] = found.split(' ');
  if ((await identityOf(Number(pid))) === identity) return;
  // Two may find it dead at once: the rename has one winner, who puts back what turns out to be somebody else's.
  const aside = `${path}.dead.${crypto.randomUUID().slice(0, 8)}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await holder(aside)) !== found) await linked(aside, path);
  await unlink(aside);
}

async function holder(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}
