/** What is known of each model: what it can do and what it costs, from the dated file `prices.json`. */
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import type { Usage } from '#schemas/types.gen.ts';
import { usdOf } from '#schemas/usage.ts';
import type { Capabilities, Price } from './model.ts';
import file from './prices.json' with { type: 'json' };

export type ProviderName = 'anthropic' | 'openai' | 'ollama';

/** A provider's list price; `long` is for the whole of a request whose prompt has more than `above` tokens. */
export interface ListPrice extends Price {
  readonly long?: (Price & { readonly above: number }) | undefined;
}

export interface ModelFacts {
  readonly capabilities: Capabilities;
  /** Null: not known. */
  readonly price: ListPrice | null;
  /** How Claude is told not to think ahead; null: it is not told. */
  readonly thinking: 'disabled' | 'between_tools' | null;
  /** What OpenAI is told of reasoning; null: nothing. */
  readonly effort: 'none' | null;
}

export type Tokens = Omit<Usage, 'cost_usd' | 'calls'>;

// More decimals would not be a whole number of nano-dollars for a token.
const usd = z
  .number()
  .min(0)
  .refine(
    (price) => Math.abs(price * 1000 - Math.round(price * 1000)) < 1e-9,
    'expected three decimals at most',
  );
const price = z.strictObject({ input: usd, output: usd, cache_read: usd, cache_write: usd });
const entry = z.strictObject({
  models: z.array(z.string().min(1)).min(1),
  price: price.extend({ long: price.extend({ above: z.int().min(1) }).optional() }).nullable(),
  context: z.int().min(1),
  output: z.int().min(1),
  tools: z.boolean(),
  json: z.boolean(),
  temperature: z.boolean(),
  thinking: z.enum(['disabled', 'between_tools']).optional(),
  effort: z.literal('none').optional(),
});
const entries = z.array(entry).min(1);
const PriceFile = z.strictObject({
  as_of: z.iso.date(),
  note: z.string(),
  providers: z.strictObject({ anthropic: entries, openai: entries, ollama: entries }),
});

type PriceFile = z.output<typeof PriceFile>;

let checked: PriceFile | null = null;

/** The price file. Throws `invalid_configuration` when it is not as it has to be. */
export function priceFile(): PriceFile {
  if (checked === null) {
    const read = PriceFile.safeParse(file);
    if (!read.success) {
      throw new Failure(
        'invalid_configuration',
        `services/worker/models/prices.json:\n${z.prettifyError(read.error)}`,
      );
    }
    checked = read.data;
  }
  return checked;
}

/** What is known of a model. One that is not listed has careful capabilities and, but for Ollama, no price. */
export function factsOf(provider: ProviderName, model: string): ModelFacts {
  const found = priceFile().providers[provider].find(({ models }) =>
    models.some((name) => isNamed(name, model)),
  );
  if (found === undefined) throw new Failure('internal_error', `prices.json: no entry "*" for ${provider}`);
  return {
    capabilities: {
      tools: found.tools,
      json: found.json,
      contextTokens: found.context,
      maxOutputTokens: found.output,
      temperature: found.temperature,
    },
    price: found.price,
    thinking: found.thinking ?? null,
    effort: found.effort ?? null,
  };
}

function isNamed(name: string, model: string): boolean {
  if (name === '*' || name === model) return true;
  return model.startsWith(name) && /^(-\d{8}|-\d{4}-\d{2}-\d{2}|:.+)$/.test(model.slice(name.length));
}

/** The cost of a call in USD, exact to the nano-dollar; null when the price is not known. */
export function costOf(usage: Tokens, list: ListPrice | null): number | null {
  if (list === null) return null;
  const prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
  const { input, output, cache_read, cache_write } =
    list.long !== undefined && prompt > list.long.above ? list.long : list;
  const nanos =
    usage.input_tokens * nanosOfToken(input) +
    usage.output_tokens * nanosOfToken(output) +
    usage.cache_read_tokens * nanosOfToken(cache_read) +
    usage.cache_write_tokens * nanosOfToken(cache_write);
  return usdOf(nanos);
}

/** A USD for a million tokens is 1,000 nano-dollars for one. */
const nanosOfToken = (perMillion: number): number => Math.round(perMillion * 1000);

/** The most that any of these may ask, part by part; null when one of them is not known. */
export function dearest(prices: readonly (ListPrice | null)[]): Price | null {
  let most: Price = { input: 0, output: 0, cache_read: 0, cache_write: 0 };
  for (const list of prices) {
    if (list === null) return null;
    for (const each of list.long === undefined ? [list] : [list, list.long]) {
      most = {
        input: Math.max(most.input, each.input),
        output: Math.max(most.output, each.output),
        cache_read: Math.max(most.cache_read, each.cache_read),
        cache_write: Math.max(most.cache_write, each.cache_write),
      };
    }
  }
  return most;
}
