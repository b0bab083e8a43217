import { readdirSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Failure } from '#chassis/failures.ts';
import { tail } from '#local/logs.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { logLine } from '../log-line.ts';
import { placeOf } from '../place.ts';

export interface LogsOptions {
  readonly follow?: boolean;
  readonly lines: number;
}

/** More than this is not looked through for the last lines of a log. */
const mostRead = 4 * 1024 * 1024;

/** The last lines of one log, or of all; with `follow` also what comes, until Ctrl-C. */
export async function logs(
  io: Invocation,
  name: string | undefined,
  options: LogsOptions,
): Promise<ExitCode> {
  const { output, signal, env } = io;
  const dir = join(placeOf(env).home, 'logs');
  const names = chosen(dir, name);
  const widest = Math.max(...names.map((each) => each.length));
  const print = (from: string, line: string): void => {
    if (output.json) return output.document(asJson(from, line));
    const text = logLine(line, output.colors);
    output.line(names.length > 1 ? `${output.colors.dim(from.padEnd(widest))} ${text}` : text);
  };
  const sizes = new Map<string, number>();
  for (const each of names) {
    const path = join(dir, `${each}.log`);
    const { lines, size } = await lastLines(path, options.lines);
    sizes.set(each, size);
    for (const line of lines) print(each, line);
  }
  if (!options.follow) return 0;
  await Promise.all(
    names.map(async (each) => {
      const path = join(dir, `${each}.log`);
      const since = Math.max(0, ((await stat(path).catch(() => null))?.size ?? 0) - (sizes.get(each) ?? 0));
      for await (const line of tail(path, signal, since)) print(each, line);
    }),
  );
  return 130;
}

function chosen(dir: string, name: string | undefined): string[] {
  let names: string[] = [];
  try {
    names = readdirSync(dir).flatMap((file) => (file.endsWith('.log') ? [basename(file, '.log')] : []));
  } catch {
    // No folder: nothing has run yet.
  }
  if (names.length === 0) throw new Failure('services_not_running', `found no logs in ${dir}`);
  if (name === undefined) return names.sort();
  if (!names.includes(name)) {
    throw new Failure(
      'invalid_arguments',
      `found no log of ${name}, expected one of ${names.sort().join(', ')}`,
    );
  }
  return [name];
}

async function lastLines(path: string, count: number): Promise<{ lines: string[]; size: number }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, mostRead);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const lines = buffer.toString('utf8').split('\n');
    // What comes after the last newline is a line that is still being written.
    const rest = Buffer.byteLength(lines.pop() ?? '');
    return { lines: count === 0 ? [] : lines.slice(-count), size: size - rest };
  } finally {
    await file.close();
  }
}

function asJson(log: string, line: string): unknown {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null) return { log, ...parsed };
  } catch {
    // A line of Kafka's, PostgreSQL's or the registry's.
  }
  return { log, line };
}
