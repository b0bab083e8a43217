/**
 * What the squad has learned: the last 1,000 insights, of each topic the newest. A fold of the knowledge topic in the
 * order of its records, so that every worker knows the same, and the same as from the compacted topic. No clock, no
 * client: pure but for its memory.
 */
import type { EventOf } from '#schemas/types.gen.ts';

export const MOST_INSIGHTS = 1_000;
/** Bytes of one insight. */
export const INSIGHT_LIMIT = 4 * 1024;
const MOST_TAGS = 10;
const LONGEST_TAG = 40;
/** Event ids that are remembered, so that one is not shared again by whoever resumes its task. */
const MOST_IDS = 4 * MOST_INSIGHTS;

/** A dotted topic, as `infra.tls.certificates`. */
export const topicShape = /^(?=.{1,200}$)[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*){0,9}$/;
/** A topic in which `*` is any part of one segment, and a segment `**` any number of segments. */
export const globShape = /^(?=.{1,200}$)[a-z0-9_*-]+(\.[a-z0-9_*-]+){0,9}$/;

export type InsightEvent = EventOf<'insight_shared'>;

export interface Query {
  /** A glob over topics. */
  readonly pattern: string;
  /** Insights with none of these words are left out; those with more of them come first. Empty: all, newest first. */
  readonly words: string;
  readonly limit: number;
}

export class Knowledge {
  /** By topic, in the order in which they were last written. */
  readonly #newest = new Map<string, { readonly event: InsightEvent; readonly words: ReadonlySet<string> }>();
  readonly #ids = new Set<string>();

  get size(): number {
    return this.#newest.size;
  }

  /** False for an event that is not as `share_insight` makes them: it is left out. */
  add(event: InsightEvent): boolean {
    const { pattern, insight, tags } = event.payload;
    if (!topicShape.test(pattern) || Buffer.byteLength(insight) > INSIGHT_LIMIT) return false;
    if (tags.length > MOST_TAGS || tags.some((tag) => tag.length > LONGEST_TAG)) return false;
    this.#ids.add(event.event_id);
    dropOldest(this.#ids, MOST_IDS);
    this.#newest.delete(pattern);
    this.#newest.set(pattern, { event, words: wordsOf([pattern, insight, ...tags].join(' ')) });
    dropOldest(this.#newest, MOST_INSIGHTS);
    return true;
  }

  /** What a record without a value does. */
  remove(pattern: string): void {
    this.#newest.delete(pattern);
  }

  /** Whether this very event has been seen. */
  has(eventId: string): boolean {
    return this.#ids.has(eventId);
  }

  /** Those that match and have not expired at `now` (epoch ms): most words first, then the newest. */
  find({ pattern, words, limit }: Query, now: number): InsightEvent[] {
    const wanted = [...wordsOf(words)];
    const matches = topicMatcher(pattern);
    const found: { readonly event: InsightEvent; readonly score: number }[] = [];
    for (const { event, words: said } of [...this.#newest.values()].reverse()) {
      const { expires_at } = event.payload;
      if ((expires_at !== 0 && expires_at <= now) || !matches(event.payload.pattern)) continue;
      const score = wanted.filter((word) => said.has(word)).length;
      if (wanted.length === 0 || score > 0) found.push({ event, score });
    }
    // The sort is stable: what has the same score stays in the order of the log, newest first.
    return found
      .sort((a, b) => b.score - a.score)
      .slice(0, limit)
      .map(({ event }) => event);
  }
}

function dropOldest(kept: Set<string> | Map<string, unknown>, most: number): void {
  for (const key of kept.keys()) {
    if (kept.size <= most) return;
    kept.delete(key);
  }
}

/** Distinct words in one form: compatibility-composed, in lower case; what is no letter or digit separates them. */
function wordsOf(text: string): ReadonlySet<string> {
  return new Set(
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [],
  );
}

/** Takes steps in proportion to the segments of the glob times those of the topic. */
export function topicMatcher(glob: string): (topic: string) => boolean {
  const wanted = glob.split('.').map((segment) => (segment === '**' ? null : segmentMatcher(segment)));
  return (topic) => {
    const segments = topic.split('.');
    // reached[i]: the segments so far match the first i of the glob.
    let reached = [true];
    for (const [index, matches] of wanted.entries())
      reached[index + 1] = reached[index] === true && matches === null;
    for (const segment of segments) {
      const next = [false];
      for (const [index, matches] of wanted.entries()) {
        next[index + 1] =
          matches === null
            ? next[index] === true || reached[index + 1] === true || reached[index] === true
            : reached[index] === true && matches(segment);
      }
      reached = next;
    }
    return reached[wanted.length] === true;
  };
}

/** `*` is any characters of one segment: what is between the stars has to come in order, as early as it can. */
function segmentMatcher(glob: string): (segment: string) => boolean {
  const pieces = glob.split('*');
  const [first = '', ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return (segment) => segment === first;
  return (segment) => {
    if (!segment.startsWith(first)) return false;
    let at = first.length;
    for (const piece of rest) {
      const found = segment.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return segment.length - at >= last.length && segment.endsWith(last);
  };
}
