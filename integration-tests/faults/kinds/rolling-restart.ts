import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** As an operator upgrades a cluster: the next one only when all copies are in sync again. */
export const rollingRestart: Fault = {
  name: 'rolling-restart',
  how: 'brokers are stopped with SIGTERM and started again, one after the other, when all copies are in sync',
  async inject(swarm, random, signal) {
    const { stack } = swarm;
    const times = swarm.times();
    for (let n = 0; n < times; n++) {
      const { name } = stack.brokers[n % stack.brokers.length] ?? random.pick(stack.brokers);
      const from = Date.now();
      const ended = stack.terminate(name);
      // It gives its leaders away while it ends.
      await Promise.all([ended, swarm.servedAgain(from, signal)]);
      await stack.up(name, signal);
      await swarm.inSync(signal);
      await sleep(random.int(1000, 3000), undefined, { signal });
    }
    return { restarts: times };
  },
};
