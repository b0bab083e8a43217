/** Memory of each process over its life, and whether what it keeps grows. */
import { readFileSync } from 'node:fs';
import type { Member, Members } from './members.ts';

interface Sample {
  /** Seconds since its start. */
  readonly at: number;
  readonly mb: number;
}

interface Life {
  readonly service: string;
  peakMb: number;
  /**
   * The old generation of its heap. Resident memory says less: V8 makes its young generation larger in steps, for
   * minutes, and gives little of it back.
   */
  readonly old: Sample[];
}

const everyMs = 3000;
/** The first part of a life is start-up: caches fill, code is compiled. */
const settledAfter = 60;
/** What nobody needs any more stays in the old generation until it is collected: the lowest of each window counts. */
const window = 30;

export class Memory {
  private readonly lives = new Map<string, Life>();
  private readonly timer: NodeJS.Timeout;

  constructor(members: Members) {
    this.timer = setInterval(() => {
      for (const member of members.all) void this.look(member);
    }, everyMs);
    this.timer.unref();
  }

  private async look(member: Member): Promise<void> {
    const { pid, name, service, startedAt, process } = member;
    const key = `${name}/${startedAt}`;
    const life = this.lives.get(key) ?? { service, peakMb: 0, old: [] };
    this.lives.set(key, life);
    life.peakMb = Math.max(life.peakMb, residentMb(pid) ?? 0);
    // One that is not up yet, frozen or dead does not answer.
    const metrics = await process.metrics().catch(() => '');
    const bytes = /^nodejs_heap_space_size_used_bytes\{space="old"\} (\S+)/m.exec(metrics)?.[1];
    if (bytes !== undefined)
      life.old.push({ at: (Date.now() - startedAt) / 1000, mb: Number(bytes) / 1024 ** 2 });
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** By service: the most a process had, and the median growth of those that lived for three minutes (null: none did). */
  summary(): Record<string, { readonly peak_mb: number; readonly mb_per_minute: number | null }> {
    const byService = Map.groupBy(this.lives.values(), ({ service }) => service);
    return Object.fromEntries(
      [...byService].map(([service, lives]) => {
        const slopes = lives
          .map(({ old }) => growthOf(old))
          .filter((slope) => slope !== null)
          .toSorted((a, b) => a - b);
        const median = slopes[Math.floor(slopes.length / 2)] ?? null;
        return [
          service,
          {
            peak_mb: Math.round(Math.max(...lives.map(({ peakMb }) => peakMb))),
            mb_per_minute: median === null ? null : round(median),
          },
        ];
      }),
    );
  }
}

/** Least squares over the lowest of each half minute, in MB a minute, without the first one; null before the third. */
export function growthOf(samples: readonly Sample[]): number | null {
  const settled = samples.filter(({ at }) => at >= settledAfter);
  const last = settled.at(-1);
  if (last === undefined || last.at < 3 * settledAfter) return null;
  const lowest = [...Map.groupBy(settled, ({ at }) => Math.floor(at / window)).values()].map((group) =>
    group.reduce((low, sample) => (sample.mb < low.mb ? sample : low)),
  );
  const n = lowest.length;
  const meanAt = lowest.reduce((sum, { at }) => sum + at, 0) / n;
  const meanMb = lowest.reduce((sum, { mb }) => sum + mb, 0) / n;
  const above = lowest.reduce((sum, { at, mb }) => sum + (at - meanAt) * (mb - meanMb), 0);
  const below = lowest.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
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
