import { Failure } from '#chassis/failures.ts';
import type { Amounts, Usage } from '#schemas/types.gen.ts';
import { nanosOf, tokensOf, usdOf } from '#schemas/usage.ts';
import type { Price } from './models/model.ts';

/**
 * What an attempt was given of its mission's budget, and how much of it the next call of a model may use up. A call
 * is begun only when the most that it can come to is left: so no call, however it ends, takes a mission over.
 */

/** An answer shorter than this is of no use. */
const leastOutput = 16;

export interface NextCall {
  /** The most tokens of the answer. */
  readonly maxOutputTokens: number;
  /** The most that the call can use up; null: nothing limits the attempt. */
  readonly most: Amounts | null;
}

/**
 * `inputTokens` is a number that the request surely does not exceed. Throws `budget_exceeded`, or `price_unknown`
 * where money is limited and nobody knows what the model costs.
 */
export function nextCall(
  budget: Amounts | null,
  used: Usage,
  request: { readonly inputTokens: number; readonly maxOutputTokens: number },
  price: Price | null,
): NextCall {
  const { inputTokens, maxOutputTokens } = request;
  if (budget === null) return { maxOutputTokens, most: null };
  let output = maxOutputTokens;
  if (budget.calls >= 0 && used.calls >= budget.calls) {
    throw exceeded(`${used.calls} calls were made`, `at most ${budget.calls}`);
  }
  if (budget.tokens >= 0) {
    const room = budget.tokens - tokensOf(used) - inputTokens;
    if (room < leastOutput) {
      const found = `${tokensOf(used)} tokens were used and the next call reads up to ${inputTokens}`;
      throw exceeded(found, `at most ${budget.tokens} with its answer`);
    }
    output = Math.min(output, room);
  }
  if (budget.cost_nanos >= 0) {
    if (price === null || used.cost_usd === null) {
      throw new Failure(
        'price_unknown',
        'found no price of the model in prices.json, expected one, as the mission limits money',
      );
    }
    const room = budget.cost_nanos - nanosOf(used.cost_usd) - inputTokens * dearestInput(price);
    const each = perToken(price.output);
    const affordable = each === 0 ? (room < 0 ? 0 : output) : Math.floor(room / each);
    if (affordable < leastOutput) {
      const found = `$${used.cost_usd} were spent and the next call reads up to ${inputTokens} tokens`;
      throw exceeded(found, `at most $${usdOf(budget.cost_nanos)} with its answer`);
    }
    output = Math.min(output, affordable);
  }
  return { maxOutputTokens: output, most: mostOf(inputTokens, output, price) };
}

/** What is booked for a call whose end nobody has heard of: the most that it can have come to. */
export function usageOfLost(most: Amounts): Usage {
  const { tokens, calls, cost_nanos } = most;
  // Below 0: nobody knows the price.
  const cost_usd = cost_nanos < 0 ? null : usdOf(cost_nanos);
  const none = { output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 };
  return { input_tokens: Math.max(0, tokens), ...none, cost_usd, calls };
}

function mostOf(inputTokens: number, outputTokens: number, price: Price | null): Amounts {
  const cost_nanos =
    price === null ? -1 : inputTokens * dearestInput(price) + outputTokens * perToken(price.output);
  return { tokens: inputTokens + outputTokens, calls: 1, cost_nanos, time_ms: -1 };
}

/** Billionths of a dollar for one token, of a price for a million of them. */
const perToken = (price: number): number => Math.ceil(price * 1_000);
const dearestInput = (price: Price): number =>
  perToken(Math.max(price.input, price.cache_write, price.cache_read));

const exceeded = (found: string, expected: string) =>
  new Failure('budget_exceeded', `found that ${found}, expected ${expected}: what this attempt was given`);
