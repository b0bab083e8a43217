import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceName } from '../../harness.ts';
import type { Fault } from '../fault.ts';
import type { Swarm } from '../swarm.ts';

/** 1 → 4 → 1 while tasks run that take seconds: no rebalance may start one again or lose it. */
export const scale: Fault = {
  name: 'scale',
  how: 'one instance of each, then four, then one, with long tasks',
  async inject(swarm, random, signal) {
    swarm.feeder.only = ['long'];
    try {
      for (const count of [1, 4, 1]) {
        for (const service of ['worker', 'orchestrator'] as const) await to(swarm, service, count);
        await sleep(random.int(swarm.size(12_000, 3000), swarm.size(20_000, 5000)), undefined, { signal });
      }
    } finally {
      swarm.feeder.only = [];
    }
    return { changes: 6 };
  },
};

async function to(swarm: Swarm, service: ServiceName, count: number): Promise<void> {
  const { members } = swarm;
  while (members.of(service).length < count) await members.add(service);
  const [, ...others] = members.of(service);
  await Promise.all(others.slice(count - 1).map((member) => members.remove(member)));
}
