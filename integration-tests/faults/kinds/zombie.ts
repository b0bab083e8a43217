import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import { processors, type Swarm } from '../swarm.ts';
import { stopped } from './kill-points.ts';

/** The session of a frozen member ends after 6 s; then the others are given what it held. */
const takeoverMs = 25_000;

/**
 * Frozen between its outputs and its commit, taken over, and thawed: it goes on where it was, and believes that all is
 * still its own. Random kills do not find a missing fence; this does.
 */
export const zombie: Fault = {
  name: 'zombie',
  how: 'SIGSTOP after the outputs and before the commit, SIGCONT when another has taken over',
  async inject(swarm, random, signal) {
    const times = swarm.times();
    let zombies = 0;
    let missed = 0;
    for (let n = 0; n < times; n++) {
      const service = processors[n % processors.length] ?? 'orchestrator';
      const member = random.pick(swarm.members.of(service));
      const { pid } = member;
      member.stopAt('outputs-sent', 'SIGSTOP');
      if (!(await stopped(member, 'outputs-sent', signal))) {
        member.stopForgotten();
        missed += 1;
        continue;
      }
      const frozenAt = Date.now();
      if (service === 'worker') swarm.recovery.ofAgent(pid);
      else swarm.recovery.ofPartitions(member.partitions(swarm.group(service)));
      if (await takenOver(swarm, service, frozenAt, signal)) zombies += 1;
      else missed += 1;
      // Until the new owner has decided something of its own.
      await sleep(1500, undefined, { signal });
      member.process.signal('SIGCONT');
      await sleep(500, undefined, { signal });
    }
    return { zombies, not_taken_over: missed };
  },
};

async function takenOver(
  swarm: Swarm,
  service: string,
  since: number,
  signal: AbortSignal,
): Promise<boolean> {
  const mine = `faults.${service}`;
  for (const late = Date.now() + takeoverMs; Date.now() < late; ) {
    for (const [place, at] of swarm.checker.takeovers) if (place.startsWith(mine) && at > since) return true;
    await sleep(50, undefined, { signal });
  }
  return false;
}
