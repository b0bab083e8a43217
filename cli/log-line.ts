import { stripVTControlCharacters } from 'node:util';
import { timeOfDay } from './format.ts';
import type { Colors } from './output.ts';

/** Fields that a person does not need in each line. */
const left: ReadonlySet<string> = new Set(['level', 'time', 'pid', 'name', 'hostname', 'msg', 'stack']);

/** A pino line as `14:05:09.123 warn  ended; will be started again  service=worker`; other lines as they are. */
export function logLine(line: string, colors: Colors): string {
  const fields = parsed(line);
  if (fields === null) return stripVTControlCharacters(line);
  const level = show(fields['level']);
  const time = timeOfDay(Date.parse(show(fields['time'])));
  const rest = Object.entries(fields).flatMap(([name, value]) =>
    left.has(name) || value === undefined ? [] : [`${colors.dim(`${name}=`)}${show(value)}`],
  );
  const head = `${colors.dim(time)} ${tint(level, colors)(level.padEnd(5))} ${show(fields['msg'] ?? '')}`;
  const stack = typeof fields['stack'] === 'string' ? `\n${stripVTControlCharacters(fields['stack'])}` : '';
  return [head, ...rest].join('  ') + stack;
}

function parsed(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{')) return null;
  try {
    const fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
    return typeof fields['level'] === 'string' && typeof fields['time'] === 'string' ? fields : null;
  } catch {
    return null;
  }
}

function show(value: unknown): string {
  return stripVTControlCharacters(typeof value === 'string' ? value : JSON.stringify(value));
}

function tint(level: string, colors: Colors): (text: string) => string {
  if (level === 'error' || level === 'fatal') return colors.red;
  if (level === 'warn') return colors.yellow;
  return level === 'info' ? colors.green : colors.dim;
}
