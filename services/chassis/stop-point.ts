import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Named points in the code at which a test can freeze or kill a process. */
export type StopPoint =
  /** Of a partition that is taken over: the last owner is fenced; the state is read and nothing is handled yet. */
  | 'fenced'
  | 'restored'
  /** Of a partition's transaction. */
  | 'before-outputs'
  | 'outputs-sent'
  | 'committed'
  /** Of a send outside transactions. */
  | 'publishing'
  | 'published'
  /** Of a batch that becomes rows: written and not committed; committed and not remembered. */
  | 'rows-written'
  | 'rows-committed'
  /** Of a call to a model: its intent is queued; is durable; it was answered; its outcome is queued. */
  | 'model-intended'
  | 'model-intent'
  | 'model-answered'
  | 'model-outcome'
  /** Of a call to a tool, the same. */
  | 'tool-intended'
  | 'tool-intent'
  | 'tool-ran'
  | 'tool-outcome'
  /** Of a task: all its steps are durable and nobody was told; the report of its end is acknowledged. */
  | 'end-durable'
  | 'report-sent';

const {
  RAVENHELM_STOP_AT: at,
  RAVENHELM_STOP_WHEN: when,
  RAVENHELM_STOP_WITH: how,
  RAVENHELM_STOP_FOLDER: folder,
} = process.env;
const [wanted, passings = '1'] = at?.split('/') ?? [];
let left = Number(passings);

/**
 * Freezes this process (SIGSTOP), or kills it where `RAVENHELM_STOP_WITH` says `SIGKILL`, when the test asked for it:
 * `RAVENHELM_STOP_AT` names the point, as `name` or as `name/n` for its n-th passing. Where `RAVENHELM_STOP_WHEN` names
 * a file, only passings while it is there count, and it is consumed. It happens once. Random kills do not find a
 * missing fence, a pause between outputs and commit always does.
 *
 * Who wants to stop a process at points that are chosen while it runs sets `RAVENHELM_STOP_FOLDER`: a file in there that
 * is named as a point holds the signal for the next passing, and is consumed by it. All unset, this is two comparisons.
 */
export function stopPoint(point: StopPoint): void {
  if (folder !== undefined) stopIfAsked(join(folder, point));
  if (wanted !== point || left === 0) return;
  if (when !== undefined && !consumed(when)) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, how === 'SIGKILL' ? 'SIGKILL' : 'SIGSTOP');
}

function stopIfAsked(file: string): void {
  if (!existsSync(file)) return;
  const signal = readFileSync(file, 'utf8').trim();
  if (consumed(file)) process.kill(process.pid, signal === 'SIGKILL' ? 'SIGKILL' : 'SIGSTOP');
}

function consumed(file: string): boolean {
  try {
    rmSync(file);
    return true;
  } catch {
    return false;
  }
}
