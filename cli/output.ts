import picocolors from 'picocolors';
import type { Failure } from '#chassis/failures.ts';
import { adviceFor } from './advice.ts';

const { createColors } = picocolors;

export type Colors = ReturnType<typeof createColors>;

/** The part of a stream that is needed here. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): boolean;
}

/** Where a command says things. Results go to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean;
  readonly colors: Colors;
  /** Standard output, for a view that draws itself; `live` when it is a terminal that can be drawn on. */
  readonly screen: Sink;
  readonly live: boolean;
  line(text?: string): void;
  /** One JSON document in one line; with `pretty`, indented, where a person may read it. */
  document(value: unknown, pretty?: boolean): void;
  /** For people only: silent with --json. */
  note(text: string): void;
  fail(failure: Failure): void;
}

export interface OutputSettings {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: NodeJS.ProcessEnv;
  readonly json: boolean;
}

/** Colours on a terminal only, never with NO_COLOR, `TERM=dumb` or --json. */
export function createOutput({ stdout, stderr, env, json }: OutputSettings): Output {
  const wanted = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb' && !json;
  const colored = wanted && stdout.isTTY === true;
  const colors = createColors(colored);
  const onError = createColors(wanted && stderr.isTTY === true);
  return {
    json,
    colors,
    screen: stdout,
    live: stdout.isTTY === true && env['TERM'] !== 'dumb' && !json,
    line: (text = '') => void stdout.write(`${text}\n`),
    document: (value, pretty = false) =>
      void stdout.write(`${JSON.stringify(value, null, pretty && stdout.isTTY === true ? 2 : undefined)}\n`),
    note: (text) => {
      if (!json) stderr.write(`${text}\n`);
    },
    fail(failure) {
      if (json) {
        stderr.write(`${JSON.stringify({ error: { code: failure.code, message: failure.message } })}\n`);
        return;
      }
      stderr.write(`${onError.red(`error ${failure.code}`)}: ${failure.message}\n`);
      stderr.write(`  ${onError.dim(adviceFor(failure.code))}\n`);
    },
  };
}
