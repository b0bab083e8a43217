import picocolors from 'picocolors';
import type { Failure } from '#chassis/failures.ts';
import { adviceFor } from './advice.ts';
import { coloredText, plainJson, plainText } from './terminal-text.ts';

const { createColors } = picocolors;

export type Colors = ReturnType<typeof createColors>;

/** The part of a stream that is needed here. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): boolean;
}

/**
 * Where a command says things. Results go to standard output, everything else to standard error. Whatever it is given,
 * a terminal gets text and our own colours (`terminal-text.ts`).
 */
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
  const fit = colored ? coloredText : plainText;
  const onError = createColors(wanted && stderr.isTTY === true);
  return {
    json,
    colors,
    screen: stdout,
    live: stdout.isTTY === true && env['TERM'] !== 'dumb' && !json,
    line: (text = '') => void stdout.write(`${fit(text)}\n`),
    document: (value, pretty = false) =>
      void stdout.write(
        `${plainJson(JSON.stringify(value, null, pretty && stdout.isTTY === true ? 2 : undefined))}\n`,
      ),
    note: (text) => {
      if (!json) stderr.write(`${fit(text)}\n`);
    },
    fail(failure) {
      if (json) {
        const { code, message } = failure;
        stderr.write(`${plainJson(JSON.stringify({ error: { code, message } }))}\n`);
        return;
      }
      stderr.write(`${onError.red(`error ${failure.code}`)}: ${plainText(failure.message)}\n`);
      stderr.write(`  ${onError.dim(adviceFor(failure.code))}\n`);
    },
  };
}
