import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import type { RequestName } from '../proxy.ts';
import { requests } from '../proxy.ts';
import type { Swarm } from '../swarm.ts';
import { allPartitions } from '../swarm.ts';

/** Asked when somebody takes a partition over, so somebody has to die for there to be an answer to lose. */
const ofTakeovers = new Set<RequestName>(['JoinGroup', 'SyncGroup', 'InitProducerId', 'FindCoordinator']);
/** Positions live in the changelog, so no transaction commits offsets: these are never asked. It is checked that they are not. */
export const neverAsked: readonly RequestName[] = ['AddOffsetsToTxn', 'TxnOffsetCommit'];

const patienceMs = 6000;

/** Of each request; with several brokers an injection is one of any. */
const timesOf = (swarm: Swarm) =>
  swarm.stack.cluster === null ? swarm.times(swarm.short ? 0.5 : 1) : swarm.times(0.1);

/** The broker has done what it was asked, and whoever asked never hears of it. */
export const lostAnswers: Fault = {
  name: 'lost-answers',
  how: 'single answers of a broker are lost, for each request that services make',
  async inject(swarm, random, signal) {
    const names = (Object.keys(requests) as RequestName[]).filter((name) => !neverAsked.includes(name));
    const before = new Map(names.map((name) => [name, swarm.stack.proxy.lostOf(name)]));
    for (const name of names) {
      for (let n = 0; n < timesOf(swarm); n++) {
        if (ofTakeovers.has(name) && n % 4 === 0)
          swarm.members.kill(random.pick(swarm.members.of(random.pick(['orchestrator', 'worker'] as const))));
        const lostAt = await loseOne(swarm, name, signal);
        if (lostAt !== null) swarm.recovery.ofPartitions(allPartitions, lostAt);
        await sleep(random.int(100, 600), undefined, { signal });
      }
    }
    for (const name of neverAsked) {
      const asked = swarm.stack.proxy.seen.get(requests[name]) ?? 0;
      if (asked > 0) swarm.violations.add('wrong', name, `asked ${asked} times, expected never`);
    }
    return Object.fromEntries(
      names.map((name) => [name, swarm.stack.proxy.lostOf(name) - (before.get(name) ?? 0)]),
    );
  },
};

async function loseOne(swarm: Swarm, name: RequestName, signal: AbortSignal): Promise<number | null> {
  const { proxy } = swarm.stack;
  const before = proxy.lostOf(name);
  proxy.loseNext(name);
  for (const late = Date.now() + patienceMs; Date.now() < late; ) {
    if (proxy.lostOf(name) > before) return Date.now();
    await sleep(10, undefined, { signal });
  }
  proxy.forget();
  return null;
}
