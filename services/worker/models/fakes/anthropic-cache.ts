/** The prompt cache of the Messages API: prefixes in the order tools, system, messages, kept where a mark says so. */
import { createHash } from 'node:crypto';
import { blocksOf, type CacheControl, type MessagesBody } from './anthropic-schema.ts';
import type { FakeUsage } from './dialect.ts';
import type { FakeModel } from './models.ts';
import { tokensIn } from './tokens.ts';

interface Piece {
  readonly text: string;
  readonly mark: CacheControl | null;
}

/** How many blocks before a mark are searched for an earlier prefix. */
const LOOKBACK = 20;

/** What a prompt consists of. A block counts for its text, a tool or a tool call for its JSON without the mark. */
export function promptPieces(body: MessagesBody): Piece[] {
  const pieces: Piece[] = [];
  for (const { cache_control, ...tool } of body.tools ?? [])
    pieces.push({ text: JSON.stringify(tool), mark: cache_control ?? null });
  for (const block of blocksOf(body.system ?? [])) {
    if (block.type === 'text') pieces.push({ text: block.text, mark: block.cache_control ?? null });
  }
  for (const { content } of body.messages) {
    for (const block of blocksOf(content)) {
      const { cache_control, ...rest } = { cache_control: null, ...block };
      pieces.push({
        text: block.type === 'text' ? block.text : JSON.stringify(rest),
        mark: cache_control ?? null,
      });
    }
  }
  const last = pieces.at(-1);
  if (body.cache_control && last && last.mark === null)
    pieces[pieces.length - 1] = { ...last, mark: body.cache_control };
  return pieces;
}

export class PromptCache {
  readonly #entries = new Map<string, { until: number; readonly ttl: number }>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** What a request reads from the cache and writes to it; `input` is all of its tokens. */
  charge(body: MessagesBody, model: FakeModel): Omit<FakeUsage, 'output'> {
    const hash = createHash('sha256').update(body.model);
    let tokens = 0;
    const prefixes = promptPieces(body).map(({ text, mark }) => {
      hash.update(text).update('\u0000');
      tokens += tokensIn(text);
      return { key: hash.copy().digest('hex'), tokens, mark };
    });
    const marks = prefixes.flatMap(({ mark }, index) => (mark ? [index] : []));
    const read = Math.max(0, ...marks.map((at) => this.#found(prefixes, at)));
    let written = read;
    for (const at of marks) {
      const prefix = prefixes[at];
      if (!prefix || prefix.tokens < model.cacheFrom) continue;
      const ttl = prefix.mark?.ttl === '1h' ? 3_600_000 : 300_000;
      this.#entries.set(prefix.key, { until: this.#clock() + ttl, ttl });
      written = Math.max(written, prefix.tokens);
    }
    return { input: tokens, cacheRead: read, cacheWrite: written - read };
  }

  /** Tokens of the longest kept prefix at a mark or shortly before it. A hit keeps it for longer. */
  #found(prefixes: readonly { readonly key: string; readonly tokens: number }[], mark: number): number {
    for (let at = mark; at >= Math.max(0, mark - LOOKBACK); at--) {
      const prefix = prefixes[at];
      const entry = prefix && this.#entries.get(prefix.key);
      if (!prefix || !entry || entry.until <= this.#clock()) continue;
      entry.until = this.#clock() + entry.ttl;
      return prefix.tokens;
    }
    return 0;
  }
}
