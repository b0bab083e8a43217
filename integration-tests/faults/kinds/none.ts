import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** What the others are to be compared with, and the time in which processes live long enough to tell what they keep. */
export const none: Fault = {
  name: 'none',
  long: true,
  how: 'nothing is harmed for five minutes',
  async inject(swarm, _random, signal) {
    const seconds = swarm.size(300, 200);
    await sleep(seconds * 1000, undefined, { signal });
    return { seconds };
  },
};
