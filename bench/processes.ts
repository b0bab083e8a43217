import { readFileSync } from 'node:fs';

/** Clock ticks a second, in which Linux counts CPU time; 100 on every machine that runs this. */
const ticksPerSecond = 100;

export interface Usage {
  /** User and system time, milliseconds. */
  readonly cpuMs: number;
  /** Highest resident memory so far, MiB. */
  readonly peakMb: number;
}

/** What a process has used until now, from /proc; null where there is none (only Linux has it). */
export function usageOf(pid: number): Usage | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in brackets, may hold spaces; fields are counted behind it. 14 and 15 are utime and stime.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const cpuMs = ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return { cpuMs, peakMb: Math.round(Number(peak ?? 0) / 1024) };
  } catch {
    return null;
  }
}
