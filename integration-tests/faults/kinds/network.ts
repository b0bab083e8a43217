import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import { allPartitions } from '../swarm.ts';

const slowMs = 250;

/** Nothing arrives and nothing is refused, as when a switch dies: what hurts is what is waited for. */
export const networkDead: Fault = {
  name: 'network-dead',
  how: 'nothing passes between the services and the broker',
  async inject(swarm, _random, signal) {
    const seconds = swarm.size(60, 7);
    swarm.stack.proxy.die();
    await sleep(seconds * 1000, undefined, { signal });
    swarm.stack.proxy.heal();
    swarm.recovery.ofPartitions(allPartitions);
    await sleep(5000, undefined, { signal });
    return { seconds };
  },
};

export const networkSlow: Fault = {
  name: 'network-slow',
  long: true,
  how: `each request and each answer takes ${slowMs} ms longer`,
  async inject(swarm, _random, signal) {
    const seconds = swarm.size(60, 7);
    swarm.stack.proxy.slow(slowMs);
    swarm.recovery.ofPartitions(allPartitions);
    await sleep(seconds * 1000, undefined, { signal });
    swarm.stack.proxy.heal();
    return { seconds };
  },
};
