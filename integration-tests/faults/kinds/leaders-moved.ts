import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const everyMs = 5000;

/** What balancing a cluster does, all at once: two in three partitions get another leader. */
export const leadersMoved: Fault = {
  name: 'leaders-moved',
  how: 'every 5 s each partition prefers another leader, and it is elected',
  async inject(swarm, random, signal) {
    const { cluster } = swarm.stack;
    if (cluster === null) return {};
    const rounds = swarm.times(swarm.short ? 3 : 1);
    let moved = 0;
    for (let n = 0; n < rounds; n++) {
      const from = Date.now();
      moved += (await cluster.moveLeaders(random.int(1, 1_000_000))).moved;
      await swarm.servedAgain(from, signal);
      await sleep(Math.max(0, from + everyMs - Date.now()), undefined, { signal });
    }
    return { rounds, partitions: moved };
  },
};
