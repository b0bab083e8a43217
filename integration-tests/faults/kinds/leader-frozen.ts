import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const frozenMs = 20_000;

/** It refuses nothing and answers nothing; when it wakes, others lead what it led, and it does not know yet. */
export const leaderFrozen: Fault = {
  name: 'leader-frozen',
  how: 'SIGSTOP of a broker that leads partitions, SIGCONT 20 s later',
  async inject(swarm, random, signal) {
    const { stack } = swarm;
    if (stack.cluster === null) return {};
    const times = swarm.times();
    let led = 0;
    for (let n = 0; n < times; n++) {
      const { leads } = await stack.cluster.state();
      const leading = stack.brokers.filter(({ id }) => (leads[id] ?? 0) > 0);
      const { id, name } = random.pick(leading);
      led += leads[id] ?? 0;
      const from = Date.now();
      stack.freeze(name);
      const served = swarm.servedAgain(from, signal);
      await sleep(frozenMs, undefined, { signal });
      await stack.up(name, signal);
      await served;
      await swarm.inSync(signal);
      await sleep(random.int(3000, 5000), undefined, { signal });
    }
    return { times, partitions_led: led };
  },
};
