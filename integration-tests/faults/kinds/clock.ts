import { existsSync, globSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import { processors } from '../swarm.ts';

const library = (): string | null =>
  globSync(['/usr/lib/*/faketime/libfaketime.so.1', '/usr/lib/faketime/libfaketime.so.1']).find((path) =>
    existsSync(path),
  ) ?? null;

/** One process of each service believes that it is an hour earlier, then one that it is an hour later. */
export const clock: Fault = {
  name: 'clock',
  long: true,
  how: 'one process of each service has a clock that is an hour slow, then one that is an hour fast',
  impossible: () => (library() === null ? 'libfaketime is not installed' : null),
  async inject(swarm, _random, signal) {
    const { checker, members } = swarm;
    // Who writes a record says when.
    checker.trustClocks = false;
    const chosen = processors.flatMap((service) => members.of(service).slice(0, 1));
    for (const offset of ['-1h', '+1h']) {
      for (const member of chosen) {
        member.extra = { LD_PRELOAD: library() ?? '', FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
        members.kill(member);
      }
      await sleep(swarm.size(25_000, 10_000), undefined, { signal });
    }
    for (const member of chosen) {
      member.extra = {};
      members.kill(member);
    }
    await sleep(3000, undefined, { signal });
    return { processes: chosen.length, clocks: 2 };
  },
};
