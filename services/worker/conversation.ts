import { hash } from 'node:crypto';
import type { NeedResult } from '#schemas/types.gen.ts';
import type { Turn } from './models/model.ts';
import { resultText } from './models/provider.ts';
import { quoteData } from './safety/quote.ts';

/** Tokens that a provider may add of its own to a request: for its tools, roles and separators. */
const overhead = 2_048;
const overheadOfTurn = 64;

/** What has been said in one attempt, and what a hash of it is. */
export class Conversation {
  readonly #turns: Turn[] = [];
  /** SHA-256 (hex) of the prompt, the tools and all turns, chained turn by turn. */
  #hash: string;
  readonly #fixedBytes: number;
  #bytes = 0;
  /** What the last answer says of all before it. */
  #known: { readonly tokens: number; readonly model: string; readonly bytes: number } | null = null;

  constructor(
    prompt: { readonly text: string; readonly hash: string },
    tools: { hash: string; text: string },
  ) {
    this.#hash = prompt.hash + tools.hash;
    this.#fixedBytes = Buffer.byteLength(prompt.text) + Buffer.byteLength(tools.text) + overhead;
  }

  /** Bytes of all that has been said. */
  get size(): number {
    return this.#bytes;
  }

  get turns(): readonly Turn[] {
    return this.#turns;
  }

  get hash(): string {
    return this.#hash;
  }

  say(turn: Turn): void {
    const text = JSON.stringify(turn);
    this.#turns.push(turn);
    this.#hash = hash('sha256', this.#hash + text);
    // Output of tools is quoted for the model, and a character that hides may come to six times its bytes.
    const read =
      turn.role === 'tool' ? JSON.stringify({ ...turn, output: '', message: resultText(turn) }) : text;
    this.#bytes += Buffer.byteLength(read) + overheadOfTurn;
  }

  /** The model has counted: this many tokens are all that has been said until now, its answer included. */
  counted(model: string, tokens: number): void {
    this.#known = { tokens, model, bytes: this.#bytes };
  }

  /**
   * A number of tokens that the next request surely does not exceed: what the model itself has counted, and a token
   * for each byte that came since.
   */
  mostTokens(model: string): number {
    const known = this.#known?.model === model ? this.#known : null;
    return known === null
      ? this.#fixedBytes + this.#bytes
      : known.tokens + (this.#bytes - known.bytes) + overhead;
  }
}

/** The task as the model reads it. */
export function firstMessage(task: {
  readonly task_id: string;
  readonly description: string;
  readonly needs: readonly NeedResult[];
  readonly context: string;
}): string {
  const parts = [`Task ${task.task_id}:\n${task.description}`];
  if (task.needs.length > 0) {
    parts.push(
      'What has become of the tasks that this one needs:',
      ...task.needs.map((need) =>
        quoteData(`task ${need.task_id} of ${need.role}, ${need.status}`, need.result),
      ),
    );
  }
  if (task.context !== '') {
    parts.push('What others have left for this task:', quoteData('the squad', task.context));
  }
  return parts.join('\n\n');
}
