import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fillDisk } from '../disk.ts';
import type { Fault } from '../fault.ts';
import { allPartitions } from '../swarm.ts';

/** The broker stops when its only disk is full; somebody makes room and starts it again. */
export const brokerDiskFull: Fault = {
  name: 'broker-disk-full',
  how: "the disk under the broker's log is filled up, the broker dies of it, room is made, it is started again",
  impossible: ({ stack }) => ('why' in stack.disk ? stack.disk.why : null),
  async inject(swarm, _random, signal) {
    const { stack } = swarm;
    if ('why' in stack.disk) return {};
    const ballast = join(stack.disk.path, 'ballast');
    const from = Date.now();
    try {
      await fillDisk(stack.disk.path, ballast, signal);
      const late = Date.now() + swarm.size(20_000, 8000);
      while (Date.now() < late && (await stack.running('kafka'))) await sleep(100, undefined, { signal });
    } finally {
      await rm(ballast, { force: true });
    }
    const died = !(await stack.running('kafka'));
    await stack.up('kafka', signal);
    swarm.recovery.ofPartitions(allPartitions, from);
    await sleep(3000, undefined, { signal });
    return { times: 1, broker_died: died ? 1 : 0 };
  },
};

/** Commands cannot write; their attempts fail, and are made again when there is room. */
export const workspaceDiskFull: Fault = {
  name: 'workspace-disk-full',
  long: true,
  how: 'the disk under the workspaces is full for a few seconds',
  impossible: ({ workspaces }) => ('why' in workspaces ? workspaces.why : null),
  async inject(swarm, _random, signal) {
    const { workspaces } = swarm;
    if ('why' in workspaces) return {};
    const ballast = join(workspaces.path, 'ballast');
    await sleep(1500, undefined, { signal });
    try {
      await fillDisk(workspaces.path, ballast, signal);
      await sleep(3000, undefined, { signal });
    } finally {
      await rm(ballast, { force: true });
    }
    swarm.recovery.ofPartitions(allPartitions);
    await sleep(2000, undefined, { signal });
    return { times: 1 };
  },
};
