import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** With several brokers a client can be wrong without any fault: it takes many missions to see it. */
export const quiet: Fault = {
  name: 'none',
  how: 'nothing is harmed while missions run',
  async inject(swarm, _random, signal) {
    const { feeder, settings } = swarm;
    const before = feeder.missions.size;
    const wanted = swarm.size(settings.missions, Math.min(settings.missions, 60));
    while (feeder.missions.size - before < wanted) await sleep(200, undefined, { signal });
    return { missions: wanted };
  },
};
