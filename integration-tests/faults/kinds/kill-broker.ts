import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const everyMs = 15_000;

export const killBroker: Fault = {
  name: 'kill-broker',
  how: 'kill -9 of one broker of three, started again, the next one 15 s later',
  async inject(swarm, random, signal) {
    const { stack } = swarm;
    const times = swarm.times();
    for (let n = 0; n < times; n++) {
      const { name } = random.pick(stack.brokers);
      const from = Date.now();
      await stack.kill(name);
      const served = swarm.servedAgain(from, signal);
      await sleep(random.int(500, 6000), undefined, { signal });
      await stack.up(name, signal);
      await served;
      await swarm.inSync(signal);
      await sleep(Math.max(0, from + everyMs - Date.now()), undefined, { signal });
    }
    return { kills: times };
  },
};

/** The others go on; much later its machine is replaced by an empty one. */
export const brokerGone: Fault = {
  name: 'broker-gone',
  how: 'kill -9 of one broker of three, which does not come back; at last an empty one takes its place',
  async inject(swarm, random, signal) {
    const { stack } = swarm;
    const times = Math.min(3, swarm.times());
    for (let n = 0; n < times; n++) {
      const broker = random.pick(stack.brokers);
      const from = Date.now();
      await stack.kill(broker.name);
      await swarm.servedAgain(from, signal);
      await sleep(swarm.size(40_000, 12_000), undefined, { signal });
      await stack.empty(broker, signal);
      await stack.up(broker.name, signal);
      await swarm.inSync(signal);
      await sleep(random.int(2000, 4000), undefined, { signal });
    }
    return { gone: times };
  },
};

/** Two of three: what is left may neither be written to nor decide who leads. */
export const minIsrLost: Fault = {
  name: 'min-isr-lost',
  how: 'kill -9 of two brokers of three, started again 20 to 40 s later',
  async inject(swarm, random, signal) {
    const { stack } = swarm;
    const times = swarm.times();
    for (let n = 0; n < times; n++) {
      const spared = random.pick(stack.brokers);
      const others = stack.brokers.filter((broker) => broker !== spared);
      const from = Date.now();
      await Promise.all(others.map(({ name }) => stack.kill(name)));
      await sleep(random.int(20_000, swarm.size(40_000, 25_000)), undefined, { signal });
      await Promise.all(others.map(({ name }) => stack.up(name, signal)));
      await swarm.servedAgain(from, signal);
      await swarm.inSync(signal);
      await sleep(random.int(8000, 12_000), undefined, { signal });
    }
    return { times };
  },
};
