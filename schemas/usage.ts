import type { Usage } from './types.gen.ts';

export const noUsage: Usage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
  cost_usd: 0,
  calls: 0,
};

const perDollar = 1e9;

/** Money is added in whole billionths of a dollar, so that no order of adding makes another sum. */
export const nanosOf = (usd: number): number => Math.round(usd * perDollar);
export const usdOf = (nanos: number): number => nanos / perDollar;

/** The sum; its cost is unknown (null) when that of either part is. */
export function addUsage(a: Usage, b: Usage): Usage {
  const known = a.cost_usd !== null && b.cost_usd !== null;
  return {
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    cache_read_tokens: a.cache_read_tokens + b.cache_read_tokens,
    cache_write_tokens: a.cache_write_tokens + b.cache_write_tokens,
    cost_usd: known ? usdOf(nanosOf(a.cost_usd) + nanosOf(b.cost_usd)) : null,
    calls: a.calls + b.calls,
  };
}

/** Input, output and cache together. */
export const tokensOf = (usage: Usage): number =>
  usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
