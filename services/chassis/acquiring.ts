import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure, type Failure } from './failures.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';

/** Acquisitions in a row that may fail before the process gives up and lets its supervisor start it again. */
const mostFailures = 8;

/**
 * Tries to acquire a partition until that succeeds (true), or is over or given up (false). What only another member can
 * run is refused at once. Never throws.
 */
export async function untilAcquired(to: {
  readonly once: () => Promise<void>;
  readonly over: () => boolean;
  readonly refuse: (failure: Failure) => void;
  readonly crash: (failure: Failure) => void;
  readonly log: Logger;
}): Promise<boolean> {
  for (let failures = 1; !to.over(); failures++) {
    const started = performance.now();
    try {
      await to.once();
      metrics.acquireSeconds.observe((performance.now() - started) / 1000);
      return true;
    } catch (error) {
      if (to.over()) return false;
      const failure = asFailure(error, 'commit_unknown');
      if (failure.code === 'rules_unknown') {
        to.refuse(failure);
        return false;
      }
      const fields = { code: failure.code, error: failure.message, failures };
      to.log.warn(fields, 'could not acquire partition');
      if (failures >= mostFailures) {
        to.crash(failure);
        return false;
      }
      await sleep(Math.min(100 * 2 ** failures, 5000));
    }
  }
  return false;
}
