/** Resident memory of each process over its life, and whether it grows. */
import { readFileSync } from 'node:fs';
import type { Members } from './members.ts';

interface Sample {
  /** Seconds since its start. */
  readonly at: number;
  readonly mb: number;
}

/** The first part of a life is start-up: caches fill, code is compiled. */
const settledAfter = 60;

export class Memory {
  private readonly samples = new Map<string, Sample[]>();
  private readonly timer: NodeJS.Timeout;

  constructor(members: Members) {
    this.timer = setInterval(() => {
      for (const { pid, name, startedAt } of members.all) {
        const mb = residentMb(pid);
        if (mb === null) continue;
        const life = `${name}/${startedAt}`;
        const samples = this.samples.get(life) ?? [];
        samples.push({ at: (Date.now() - startedAt) / 1000, mb });
        this.samples.set(life, samples);
      }
    }, 2000);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** By service: the highest, and the median slope of those that lived for three minutes or more (null: none did). */
  summary(): Record<string, { readonly peak_mb: number; readonly mb_per_minute: number | null }> {
    const byService = Map.groupBy(this.samples, ([life]) => life.split('-')[0] ?? '');
    return Object.fromEntries(
      [...byService].map(([service, lives]) => {
        const slopes = lives
          .map(([, samples]) => slopeOf(samples))
          .filter((slope) => slope !== null)
          .toSorted((a, b) => a - b);
        const peak = Math.max(...lives.flatMap(([, samples]) => samples.map(({ mb }) => mb)));
        const median = slopes[Math.floor(slopes.length / 2)] ?? null;
        return [
          service,
          { peak_mb: Math.round(peak), mb_per_minute: median === null ? null : round(median) },
        ];
      }),
    );
  }
}

/** Least squares, in MB a minute, without the first minute; null for a life shorter than three. */
export function slopeOf(samples: readonly Sample[]): number | null {
  const settled = samples.filter(({ at }) => at >= settledAfter);
  const last = settled.at(-1);
  if (last === undefined || last.at < 3 * settledAfter || settled.length < 10) return null;
  const n = settled.length;
  const meanAt = settled.reduce((sum, { at }) => sum + at, 0) / n;
  const meanMb = settled.reduce((sum, { mb }) => sum + mb, 0) / n;
  const above = settled.reduce((sum, { at, mb }) => sum + (at - meanAt) * (mb - meanMb), 0);
  const below = settled.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  return (above / below) * 60;
}

const round = (value: number) => Math.round(value * 100) / 100;

/** From /proc; null where there is none, or no such process. */
function residentMb(pid: number): number | null {
  try {
    const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return found === undefined ? null : Number(found) / 1024;
  } catch {
    return null;
  }
}
