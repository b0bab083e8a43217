import { rmSync } from 'node:fs';

/** Named points in the code at which a test can freeze a process. */
export type StopPoint = 'before-outputs' | 'outputs-sent';

const { RAVENHELM_STOP_AT: at, RAVENHELM_STOP_WHEN: when } = process.env;

/**
 * Freezes this process (SIGSTOP) when the test asked for it: `RAVENHELM_STOP_AT` names the point, and the file
 * `RAVENHELM_STOP_WHEN` is there; the file is consumed, so it happens once. Random kills do not find a missing fence,
 * a pause between outputs and commit always does. Unset, this is one comparison.
 */
export function stopPoint(point: StopPoint): void {
  if (at !== point || when === undefined) return;
  try {
    rmSync(when);
  } catch {
    return;
  }
  process.kill(process.pid, 'SIGSTOP');
}
