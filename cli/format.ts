import { plainText } from './terminal-text.ts';

/** `85 ms`, `1.4 s`, `2 min 5 s`, `3 h 20 min`, `90 d`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return two(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 2880) return two(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function two(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;
}

/** `12.3 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Local time of day, to the millisecond: what two lines of a timeline are compared by. */
export function timeOfDay(epochMs: number): string {
  const at = new Date(epochMs);
  const digits = (value: number) => String(value).padStart(2, '0');
  const clock = `${digits(at.getHours())}:${digits(at.getMinutes())}:${digits(at.getSeconds())}`;
  return `${clock}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** `2025-03-01 14:05:09`, local; empty for a time that is not set. */
export function dateTime(epochMs: number | null): string {
  if (epochMs === null || epochMs === 0) return '';
  const at = new Date(epochMs);
  const digits = (value: number) => String(value).padStart(2, '0');
  const date = `${at.getFullYear()}-${digits(at.getMonth() + 1)}-${digits(at.getDate())}`;
  return `${date} ${timeOfDay(epochMs).slice(0, 8)}`;
}

/**
 * The first line of a text, for a line of ours: a mission's texts are written by anybody, so what would move the
 * cursor is taken out, and what hides or turns text round is shown.
 */
export function oneLine(text: string, most = 200): string {
  const plain = plainText(text.replaceAll('\r', '\n')).trim();
  const [first = ''] = plain.split('\n', 1);
  const clean = first.replaceAll('\t', ' ');
  return clean.length > most || first.length < plain.length ? `${clean.slice(0, most)}…` : clean;
}
