/**
 * Looks through a text once, however many secrets are known.
 *
 * Of each form, every eighth group of eight characters is an anchor. A rolling hash says at each place, by one look into
 * a table, whether an anchor may end there; only then is anything compared. A piece of 15 characters or more contains a
 * whole anchor wherever it was cut from its form. The same hash says whether a mark ends there: four characters without
 * which no shape of a secret can be in the text.
 */
import type { Form } from './secret-forms.ts';

const ANCHOR = 8;
const MARK = 4;
const ANCHOR_BITS = 15;
/** The most characters between two pieces of one secret: a line's end, its indentation. */
const GAP = 12;

/**
 * Each character moves the hash by four bits, so that it covers the last eight, and its lower half the last four.
 * Characters are told apart by their lower byte.
 */
const gear = Int32Array.from({ length: 256 }, (_, code) => {
  let mixed = Math.imul(code + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
});

const turn = (hash: number, code: number): number => ((hash << 4) + (gear[code & 0xff] ?? 0)) | 0;

function hashOf(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = turn(hash, text.charCodeAt(at));
  return hash;
}

export interface Span {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

interface Anchor {
  readonly form: Form;
  readonly name: string;
  readonly offset: number;
}

export class SecretMatcher {
  readonly #anchorTable = new Uint8Array(1 << ANCHOR_BITS);
  readonly #anchors = new Map<string, Anchor[]>();
  readonly #markTable = new Uint8Array(1 << (MARK * 4));
  readonly #marks = new Map<string, string>();
  /** The longest text that one secret takes, gaps at line ends included; 0 when none is known. */
  longest = 0;

  /** `marks`: texts of three characters or more, of which the first four count, and what has to come after each. */
  constructor(marks: Iterable<readonly [mark: string, then: string]>) {
    for (const [mark, then] of marks) {
      const start = mark.slice(0, MARK);
      this.#marks.set(start, then);
      const codes = start.length < MARK ? gear.keys() : [start.charCodeAt(MARK - 1)];
      const begin = hashOf(start.slice(0, MARK - 1));
      for (const code of codes) this.#markTable[turn(begin, code) & 0xffff] = 1;
    }
  }

  add(name: string, forms: readonly Form[]): void {
    for (const form of forms) {
      const { length } = form.text;
      this.longest = Math.max(this.longest, length + Math.ceil(length / 32) * GAP);
      const last = form.least < length ? length - ANCHOR : 0;
      for (let offset = 0; offset <= last; offset += ANCHOR) {
        const key = form.text.slice(offset, offset + ANCHOR);
        this.#anchorTable[hashOf(key) >>> (32 - ANCHOR_BITS)] = 1;
        const anchor = { form, name, offset };
        const others = this.#anchors.get(key);
        if (others) others.push(anchor);
        else this.#anchors.set(key, [anchor]);
      }
    }
  }

  /**
   * Spans of known secrets, in order, not overlapping (of those that do, the first gives the name), and whether the text
   * has a mark.
   */
  look(text: string): { readonly spans: readonly Span[]; readonly marked: boolean } {
    const anchorTable = this.#anchorTable;
    const markTable = this.#markTable;
    const { length } = text;
    let found: Found | null = null;
    let missing: Set<string> | null = null;
    let marked = false;
    let hash = 0;
    for (let at = 0; at < length; at++) {
      hash = ((hash << 4) + (gear[text.charCodeAt(at) & 0xff] as number)) | 0;
      if (anchorTable[hash >>> (32 - ANCHOR_BITS)] === 1) {
        const anchors = this.#anchors.get(text.slice(Math.max(0, at - ANCHOR + 1), at + 1));
        if (anchors !== undefined) addSpans(text, at, anchors, (found ??= { spans: [], covered: new Map() }));
      }
      if (markTable[hash & 0xffff] === 1 && !marked) {
        const then = this.#marked(text, at);
        if (then === undefined || missing?.has(then)) continue;
        marked = text.includes(then, at);
        // Looked for once only: it does not come later either.
        if (!marked) missing = (missing ?? new Set()).add(then);
      }
    }
    return { spans: found === null ? [] : merged(found.spans), marked };
  }

  #marked(text: string, at: number): string | undefined {
    const start = at - MARK + 1;
    if (start < 0) return undefined;
    return this.#marks.get(text.slice(start, at + 1)) ?? this.#marks.get(text.slice(start, at));
  }
}

interface Found {
  readonly spans: Span[];
  /** How far the spans of each form reach. */
  readonly covered: Map<Form, number>;
}

function addSpans(text: string, at: number, anchors: readonly Anchor[], { spans, covered }: Found): void {
  for (const { form, name, offset } of anchors) {
    // What lies in a span of the same form adds nothing, and would cost a comparison for each of its anchors.
    if ((covered.get(form) ?? 0) > at) continue;
    const span = around(text, at - ANCHOR + 1, form, offset);
    if (span === null) continue;
    covered.set(form, span.end);
    spans.push({ ...span, name });
  }
}

/** As much of the form as stands around its anchor, line ends between its pieces passed over; null when too little. */
function around(
  text: string,
  anchorAt: number,
  { text: form, least }: Form,
  offset: number,
): { start: number; end: number } | null {
  let start = anchorAt;
  let first = offset;
  let beyond = anchorAt;
  while (first > 0) {
    if (text.charCodeAt(beyond - 1) === form.charCodeAt(first - 1)) start = beyond -= 1;
    else {
      const next = beforeGap(text, beyond);
      if (next === beyond || text.charCodeAt(next - 1) !== form.charCodeAt(first - 1)) break;
      start = beyond = next - 1;
    }
    first--;
  }
  let end = anchorAt + ANCHOR;
  let last = offset + ANCHOR;
  while (last < form.length) {
    if (text.charCodeAt(end) === form.charCodeAt(last)) end++;
    else {
      const next = afterGap(text, end);
      if (next === end || text.charCodeAt(next) !== form.charCodeAt(last)) break;
      end = next + 1;
    }
    last++;
  }
  return last - first >= least ? { start, end } : null;
}

const BACKSLASH = 0x5c;
/** Space, tab, line ends and the colon. */
const isGap = (code: number): boolean => code === 0x20 || (code >= 9 && code <= 13) || code === 0x3a;
/** The letter of `\n`, `\r` or `\t`, as JSON writes a line's end. */
const isEscape = (code: number): boolean => code === 0x6e || code === 0x72 || code === 0x74;

function afterGap(text: string, from: number): number {
  let at = from;
  while (at - from < GAP) {
    const code = text.charCodeAt(at);
    if (isGap(code)) at++;
    else if (code === BACKSLASH && isEscape(text.charCodeAt(at + 1))) at += 2;
    else if (code === BACKSLASH && text.charCodeAt(at + 1) === BACKSLASH) at++;
    else break;
  }
  return at;
}

function beforeGap(text: string, from: number): number {
  let at = from;
  while (from - at < GAP) {
    const code = text.charCodeAt(at - 1);
    if (isGap(code)) at--;
    else if (isEscape(code) && text.charCodeAt(at - 2) === BACKSLASH) at -= 2;
    else if (code === BACKSLASH && at < from && text.charCodeAt(at) === BACKSLASH) at--;
    else break;
  }
  return at;
}

function merged(found: Span[]): readonly Span[] {
  found.sort((a, b) => a.start - b.start || b.end - a.end);
  const spans: Span[] = [];
  for (const span of found) {
    const before = spans.at(-1);
    if (before === undefined || span.start >= before.end) spans.push(span);
    else if (span.end > before.end) spans[spans.length - 1] = { ...before, end: span.end };
  }
  return spans;
}
