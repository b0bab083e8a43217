import type { Spent } from '#projector/costs.ts';

/** `$12.50`, `$0.0125`, `$0.000000007`: as many decimals as it takes, from two to nine. */
export function dollars(nanos: number): string {
  const digits = String(nanos).padStart(10, '0');
  const cents = digits.slice(-9).replace(/0{1,7}$/, '');
  return `$${digits.slice(0, -9)}.${cents}`;
}

/** `$1.23`, or `≥ $1.23 + 4 calls of unknown price`: what is not known is never shown as nothing. */
export function costText({
  calls,
  unpriced,
  cost_nanos,
}: Pick<Spent, 'calls' | 'unpriced' | 'cost_nanos'>): string {
  if (unpriced === 0) return dollars(cost_nanos);
  const unknown = `${unpriced} ${unpriced === 1 ? 'call' : 'calls'} of unknown price`;
  return unpriced === calls ? unknown : `≥ ${dollars(cost_nanos)} + ${unknown}`;
}
