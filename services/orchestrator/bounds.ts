import type { MissionLimits } from '#schemas/types.gen.ts';

/** Between what a mission may choose; times in ms. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

export interface Bounds {
  readonly least: number;
  readonly most: number;
  readonly unit: string;
}

/** What a mission may ask for. A lease under a second would expire between two heartbeats. */
export const bounds = {
  max_in_flight: { least: 1, most: 1000, unit: 'tasks' },
  task_timeout_ms: { least: 100, most: 24 * hour, unit: 'ms' },
  lease_ms: { least: second, most: 10 * minute, unit: 'ms' },
  deadline_ms: { least: second, most: 30 * 24 * hour, unit: 'ms' },
  max_attempts: { least: 1, most: 20, unit: 'attempts' },
} as const satisfies Record<keyof MissionLimits, Bounds>;

/** `found` if it is within `bounds`, `fallback` if it is 0; else the reason why it is neither. */
export function limit(found: number, fallback: number, { least, most, unit }: Bounds): number | string {
  if (found === 0) return fallback;
  if (Number.isSafeInteger(found) && found >= least && found <= most) return found;
  return `found ${found}, expected a whole number from ${least} to ${most} ${unit}, or 0 for ${fallback}`;
}
