/** File systems in memory, where the machine lets us make them: a full disk is then one that is full, and not a pretence. */
import { execFile } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Disk = { readonly path: string } | { readonly why: string };

/** @param size As mount takes it: `64m`. */
export async function makeDisk(path: string, size: string): Promise<Disk> {
  await mkdir(path, { recursive: true });
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0755`, 'tmpfs', path]);
    return { path };
  } catch {
    return { why: 'no file system may be mounted here, and nothing else on the machine must run full' };
  }
}

/** Does nothing where none is mounted. A process that has just ended may hold it for a moment. */
export async function removeDisk(path: string): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    if (!(await isMounted(path))) return;
    await run('umount', [path]).catch(() => sleep(250));
  }
  await run('umount', ['--lazy', path]).catch(() => undefined);
}

const isMounted = async (path: string): Promise<boolean> =>
  (await readFile('/proc/mounts', 'utf8').catch(() => '')).includes(` ${path} `);

/** Writes into a file on the disk until nothing more fits. Gives the size in MiB. */
export async function fillDisk(disk: string, ballast: string, signal: AbortSignal): Promise<number> {
  const chunk = Buffer.alloc(1024 * 1024);
  const file = await open(ballast, 'w');
  let written = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { bavail, bsize } = statfsSync(disk);
      const wanted = Math.min(chunk.length, bavail * bsize);
      if (wanted === 0) break;
      const { bytesWritten } = await file.write(chunk, 0, wanted).catch(() => ({ bytesWritten: 0 }));
      if (bytesWritten === 0) break;
      written += bytesWritten;
    }
  } finally {
    await file.close();
  }
  return Math.round(written / 1024 / 1024);
}
