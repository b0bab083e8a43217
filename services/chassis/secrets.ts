/**
 * The one place where secrets are taken out of texts: of every log line, every event, every prompt and every output of
 * a tool. A value that is known becomes `[secret:NAME]`, one that only looks like a secret `[secret]`.
 *
 * It cannot find what was changed in other ways than `secret-forms.ts` lists: reversed, encrypted, compressed, or spelt
 * out letter by letter.
 */

import { scrubDeep } from './scrub-deep.ts';
import { formsOf } from './secret-forms.ts';
import { SecretMatcher, type Span } from './secret-matcher.ts';
import { type Secret, secretsOf } from './secret-names.ts';
import { marks, scrubShapes } from './secret-shapes.ts';
import { ScrubStream } from './secret-stream.ts';

export { type Secret, secretsOf } from './secret-names.ts';
export type { ScrubStream } from './secret-stream.ts';

export interface Scrubber {
  /** Linear in the text; scrubbing twice is scrubbing once. Throws nothing. */
  text(text: string): string;
  /**
   * A copy in which all strings, and keys of objects, are scrubbed; the very same value when there is nothing to scrub.
   * Arrays and records are looked into, to any depth; buffers, dates, maps and errors are left as they are.
   */
  value<T>(value: T): T;
  /** The names of the known secrets that a text holds, in any of their forms. */
  finds(text: string): readonly string[];
  /** Knows one more secret from now on. False, and not known, when it is shorter than 8 characters. */
  register(secret: Secret): boolean;
  /** For text that comes in pieces: a secret that lies across them is found as well. */
  stream(): ScrubStream;
}

/** No secret, and no shape of one, is shorter. */
const SHORTEST = 8;
const MOST_CLEAN_KEYS = 1_000;
const LONGEST_NAME = 64;
const LONGEST_MARKER = LONGEST_NAME + '[secret:]'.length;

export function scrubber(secrets: Iterable<Secret> = []): Scrubber {
  const matcher = new SecretMatcher(marks);
  const markers = new Set<string>();

  function register({ name, value }: Secret): boolean {
    const forms = formsOf(value);
    if (forms.length === 0 || value.includes('[secret')) return false;
    const shown = name.replace(/[^\w.-]/g, '_').slice(0, LONGEST_NAME);
    markers.add(markerOf(shown));
    matcher.add(shown, forms);
    cleanKeys.clear();
    return true;
  }

  // The keys of events are the same few, again and again.
  const cleanKeys = new Set<string>();

  function key(given: string): string {
    if (given.length < SHORTEST || cleanKeys.has(given)) return given;
    const scrubbed = text(given);
    if (scrubbed === given && cleanKeys.size < MOST_CLEAN_KEYS) cleanKeys.add(given);
    return scrubbed;
  }

  function text(given: string): string {
    if (given.length < SHORTEST) return given;
    const { spans, marked } = matcher.look(given);
    const scrubbed = spans.length === 0 ? given : without(given, spans, markers);
    return marked ? scrubShapes(scrubbed) : scrubbed;
  }

  for (const secret of secrets) register(secret);
  return {
    text,
    value: (value) => scrubDeep(value, { text, key }),
    finds: (given) =>
      given.length < SHORTEST ? [] : [...new Set(matcher.look(given).spans.map(({ name }) => name))],
    register,
    stream: () => new ScrubStream(text, () => matcher.longest),
  };
}

const markerOf = (name: string): string => `[secret:${name}]`;

function without(text: string, spans: readonly Span[], markers: ReadonlySet<string>): string {
  let result = '';
  let done = 0;
  for (const { start, end, name } of spans) {
    if (isInMarker(text, start, end, markers)) continue;
    // A secret that begins like an escape of JSON (`\n` and `n…`): a backslash alone would leave no JSON behind.
    const from = start > done && isEscaped(text, start, done) ? start - 1 : start;
    result += text.slice(done, from) + markerOf(name);
    done = end;
  }
  return result + text.slice(done);
}

/** Whether a secret is found in the name that stands where a secret was: `[secret:DB_PASSWORD]`. */
function isInMarker(text: string, start: number, end: number, markers: ReadonlySet<string>): boolean {
  const from = Math.max(0, start - LONGEST_MARKER);
  const around = text.slice(from, end + LONGEST_MARKER);
  const open = around.lastIndexOf('[secret:', start - from);
  const close = open < 0 ? -1 : around.indexOf(']', open);
  return close >= end - from - 1 && markers.has(around.slice(open, close + 1));
}

function isEscaped(text: string, at: number, from: number): boolean {
  let first = at;
  while (first > from && text.charCodeAt(first - 1) === 0x5c) first--;
  return (at - first) % 2 === 1;
}

let ofProcess: Scrubber | null = null;

/** The scrubber of this process, which knows the secrets of its environment as it was at the first call. */
export function processScrubber(): Scrubber {
  ofProcess ??= scrubber(secretsOf(process.env));
  return ofProcess;
}
