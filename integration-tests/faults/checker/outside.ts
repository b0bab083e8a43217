/** The ledger outside the system: each step of a task writes its key and the time into a file, by itself. */
import { readFile } from 'node:fs/promises';
import type { Violations } from './violations.ts';

/** A step as the mission was made: which one of its task, and whether it may ever happen twice. */
export interface OutsideStep {
  readonly task: string;
  /** Of the journal: 2, 4, 6 … */
  readonly step: number;
  readonly once: boolean;
}

/** When each key was written, epoch milliseconds, by key. */
export async function readOutside(file: string): Promise<ReadonlyMap<string, readonly number[]>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const runs = new Map<string, number[]>();
  for (const line of text.split('\n')) {
    const [key = '', at = ''] = line.split(' ');
    if (key === '' || at === '') continue;
    runs.set(key, [...(runs.get(key) ?? []), Number(at) / 1e6]);
  }
  return runs;
}

/**
 * No completed task lacks a mark of a step. A step may leave a second one only where a fault hid the outcome of the
 * first and its tool says that twice is as once: then the second began before the outcome was recorded. Gives how many
 * were repeated like that.
 *
 * @param recordedAt When the journal has the outcome of a key; epoch milliseconds.
 */
export function checkOutside(
  mission: string,
  runs: ReadonlyMap<string, readonly number[]>,
  steps: readonly OutsideStep[],
  completed: readonly { readonly task: string; readonly attempt: number }[],
  recordedAt: ReadonlyMap<string, number>,
  violations: Violations,
): number {
  const attempts = new Map(completed.map(({ task, attempt }) => [task, attempt]));
  const onceSteps = new Set(steps.filter(({ once }) => once).map(({ task, step }) => `${task}/${step}`));
  let repeated = 0;
  for (const { task, step } of steps) {
    const attempt = attempts.get(task);
    if (attempt === undefined) continue;
    const key = `${mission}/${task}/${attempt}/${step}`;
    if (!runs.has(key)) violations.add('lost', mission, `step ${key} left no mark outside`);
  }
  for (const [key, times] of runs) {
    if (times.length < 2) continue;
    const [task = '', , step = ''] = key.slice(mission.length + 1).split('/');
    if (onceSteps.has(`${task}/${step}`)) {
      violations.add('duplicated', mission, `step ${key} happened ${times.length} times and may only once`);
      continue;
    }
    repeated += times.length - 1;
    const recorded = recordedAt.get(key) ?? Number.POSITIVE_INFINITY;
    for (const at of times.slice(1)) {
      if (at > recorded + 5)
        violations.add(
          'duplicated',
          mission,
          `step ${key} ran again ${Math.round(at - recorded)} ms after its outcome was recorded`,
        );
    }
  }
  return repeated;
}
