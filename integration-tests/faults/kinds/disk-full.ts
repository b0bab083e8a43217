import { statfsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import { allPartitions } from './broker.ts';

/** The broker stops when its only disk is full; somebody makes room and starts it again. */
export const diskFull: Fault = {
  name: 'disk-full',
  how: "the disk under the broker's log is filled up, the broker dies of it, room is made, it is started again",
  impossible: ({ stack }) => ('why' in stack.disk ? stack.disk.why : null),
  async inject(swarm, _random, signal) {
    const { stack } = swarm;
    if ('why' in stack.disk) return {};
    const ballast = join(stack.disk.path, '..', 'kafka', 'ballast');
    const from = Date.now();
    const filled = await fill(stack.disk.path, ballast, signal);
    for (
      const late = Date.now() + swarm.size(20_000, 8000);
      Date.now() < late && (await stack.running('kafka'));
    )
      await sleep(100, undefined, { signal });
    const died = !(await stack.running('kafka'));
    await rm(ballast, { force: true });
    await stack.up('kafka', signal);
    swarm.recovery.ofPartitions(allPartitions, from);
    await sleep(3000, undefined, { signal });
    return { filled_mb: filled, broker_died: died ? 1 : 0 };
  },
};

/** Writes until nothing more fits, and keeps it like that for a moment, as the broker takes what it deletes. */
async function fill(disk: string, ballast: string, signal: AbortSignal): Promise<number> {
  const chunk = Buffer.alloc(1024 * 1024);
  const file = await open(ballast, 'w');
  let written = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { bavail, bsize } = statfsSync(disk);
      if (bavail * bsize === 0) break;
      const { bytesWritten } = await file
        .write(chunk, 0, Math.min(chunk.length, bavail * bsize))
        .catch(() => ({ bytesWritten: 0 }));
      if (bytesWritten === 0) break;
      written += bytesWritten;
    }
  } finally {
    await file.close();
  }
  return Math.round(written / 1024 / 1024);
}
