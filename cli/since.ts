import { Failure } from '#chassis/failures.ts';

const units = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90m`, `24h`, `7d` before now, or a date (the beginning of that day in UTC) or a time of ISO 8601. */
export function sinceTime(text: string, now: number): Date {
  const [, count = '', unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (count !== '') return new Date(now - Number(count) * units[unit as keyof typeof units]);
  const at = /^\d{4}-\d\d-\d\d(T\S+)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return new Date(at);
  const expected = 'expected 90m, 24h, 7d, a date (2026-11-30) or a time (2026-11-30T08:00Z)';
  throw new Failure('invalid_arguments', `--since: found ${JSON.stringify(text)}, ${expected}`);
}
