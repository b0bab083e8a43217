import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** What runs needs the registry no more, and what starts cannot without: one of each dies meanwhile. */
export const registryGone: Fault = {
  name: 'registry-gone',
  long: true,
  how: 'the registry is killed, a worker and an orchestrator die meanwhile, and it is started again',
  async inject(swarm, random, signal) {
    const seconds = swarm.size(60, 6);
    await swarm.stack.kill('registry');
    await swarm.stack.kill('apicurio');
    await sleep(seconds * 250, undefined, { signal });
    for (const service of ['worker', 'orchestrator'] as const)
      swarm.killAndTime(random.pick(swarm.members.of(service)));
    await sleep(seconds * 750, undefined, { signal });
    await swarm.stack.up('apicurio', signal);
    await swarm.stack.up('registry', signal);
    return { seconds, kills: 2 };
  },
};

/** The ledger does not need PostgreSQL, and the projector catches up. */
export const databaseGone: Fault = {
  name: 'database-gone',
  long: true,
  how: 'kill -9 of PostgreSQL, started again',
  async inject(swarm, _random, signal) {
    const seconds = swarm.size(60, 6);
    await swarm.stack.kill('postgres');
    await sleep(seconds * 1000, undefined, { signal });
    await swarm.stack.up('postgres', signal);
    return { seconds };
  },
};
