import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceName } from '../../harness.ts';
import type { Fault } from '../fault.ts';

const inShort = new Set<ServiceName>(['orchestrator', 'worker', 'correlator', 'projector']);

/** kill -9 of one service, again and again, one of its processes each time. */
export const killOf = (service: ServiceName): Fault => ({
  name: `kill-${service}`,
  ...(inShort.has(service) ? {} : { long: true }),
  how: `kill -9 of one process of the ${service}, again and again`,
  async inject(swarm, random, signal) {
    const times = swarm.times();
    for (let n = 0; n < times; n++) {
      swarm.killAndTime(await swarm.victim(service, random, signal));
      await sleep(random.int(swarm.size(2000, 1000), swarm.size(5000, 2000)), undefined, { signal });
    }
    return { kills: times };
  },
});
