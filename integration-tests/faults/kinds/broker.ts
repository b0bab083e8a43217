import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import { allPartitions } from '../swarm.ts';

export const broker: Fault = {
  name: 'broker',
  how: 'kill -9 of the broker, started again',
  async inject(swarm, random, signal) {
    const times = swarm.times(0.25);
    for (let n = 0; n < times; n++) {
      const from = Date.now();
      await swarm.stack.kill('kafka');
      await sleep(random.int(500, 2000), undefined, { signal });
      await swarm.stack.up('kafka', signal);
      swarm.recovery.ofPartitions(allPartitions, from);
      await sleep(random.int(6000, 10_000), undefined, { signal });
    }
    return { kills: times };
  },
};
