/** How many bytes the first download brings, as Maven counts them. */
export const downloadSize = 172_000_000;

const units: Record<string, number> = { B: 1, kB: 1_000, MB: 1_000_000, GB: 1_000_000_000 };

/**
 * Reads Maven's own words on its transfers (`Progress (2): 1.2/54 MB | 12 kB`, `Downloaded from … (54 MB at 9 MB/s)`)
 * and says how many bytes have come. Feed it the output as it comes, cut anywhere. Never goes back.
 */
export function transferCounter(): (chunk: string) => number {
  let rest = '';
  let finished = 0;
  let most = 0;
  return (chunk) => {
    const lines = (rest + chunk).split(/[\r\n]/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const got = finishedBytes(line);
      finished += got ?? 0;
      const running = got === null ? runningBytes(line) : 0;
      most = Math.max(most, finished + running);
    }
    return most;
  };
}

function finishedBytes(line: string): number | null {
  const match = /Downloaded from \S+: \S+ \(([\d.]+) (B|kB|MB|GB)/.exec(line);
  return match === null ? null : Number(match[1]) * (units[match[2] ?? ''] ?? 0);
}

function runningBytes(line: string): number {
  const list = /Progress \(\d+\): (.*)/.exec(line)?.[1];
  if (list === undefined) return 0;
  let sum = 0;
  for (const part of list.split('|')) {
    const match = /([\d.]+)(?:\/[\d.]+)? (B|kB|MB|GB)/.exec(part);
    if (match !== null) sum += Number(match[1]) * (units[match[2] ?? ''] ?? 0);
  }
  return sum;
}
