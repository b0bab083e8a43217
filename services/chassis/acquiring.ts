import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure, type Failure } from './failures.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';
import type { Troubles } from './troubles.ts';

/**
 * Tries to acquire a partition until that succeeds (true), or is over or given up (false). Waits before each try for as
 * long as the troubles say, which count failed commits as well: what is acquired and cannot commit gets nowhere either.
 * What only another member can run is refused at once. Never throws.
 */
export async function untilAcquired(to: {
  readonly once: () => Promise<void>;
  readonly over: () => boolean;
  readonly refuse: (failure: Failure) => void;
  readonly crash: (failure: Failure) => void;
  readonly log: Logger;
  readonly troubles: Troubles;
}): Promise<boolean> {
  const { troubles } = to;
  while (!to.over()) {
    if (troubles.pauseMs > 0) await sleep(troubles.pauseMs);
    const started = performance.now();
    try {
      if (!to.over()) await to.once();
      if (to.over()) return false;
      metrics.acquireSeconds.observe((performance.now() - started) / 1000);
      return true;
    } catch (error) {
      if (to.over()) return false;
      const failure = asFailure(error, 'commit_unknown');
      if (failure.code === 'rules_unknown') {
        to.refuse(failure);
        return false;
      }
      troubles.failed();
      const fields = { code: failure.code, error: failure.message, failures: troubles.count };
      to.log.warn(fields, 'could not acquire partition');
      if (troubles.hopeless) {
        to.crash(failure);
        return false;
      }
    }
  }
  return false;
}
