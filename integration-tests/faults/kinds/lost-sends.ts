import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/**
 * What is sent outside of transactions (reports, journals, heartbeats) goes through one idempotent producer a process.
 * While it asks again for a lost answer, more is waiting to be sent: that is when sends must not overlap.
 */
export const lostSends: Fault = {
  name: 'lost-sends',
  how: 'answers to what is sent outside transactions are lost, one after the other',
  long: true,
  async inject(swarm, random, signal) {
    const { proxy } = swarm.stack;
    const before = proxy.lostOf('PlainProduce');
    for (let n = 0; n < swarm.times(2); n++) {
      proxy.loseNext('PlainProduce');
      await sleep(random.int(150, 500), undefined, { signal });
    }
    proxy.forget();
    return { answers: proxy.lostOf('PlainProduce') - before };
  },
};
