import type { MissionState } from '#orchestrator/state.ts';
import type { MissionBudget } from '#projector/review-queries.ts';
import { nanosOf, tokensOf } from '#schemas/usage.ts';
import { dollars } from './money.ts';

/** What a mission used up, and of its budget where it has one; nothing for a mission that called no model. */
export function spentLines({ spent, spent_ms, policy, grants }: MissionState): string[] {
  const { budget } = policy.options;
  const lines: string[] = [];
  if (spent.calls > 0) {
    const cost = spent.cost_usd === null ? 'cost unknown' : dollars(nanosOf(spent.cost_usd));
    const { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens } = spent;
    const cached = cache_read_tokens + cache_write_tokens;
    const kinds = [`${input_tokens} in`, `${output_tokens} out`, ...(cached > 0 ? [`${cached} cache`] : [])];
    const calls = `${spent.calls} model call${spent.calls === 1 ? '' : 's'}`;
    lines.push(`${calls}, ${tokensOf(spent)} tokens (${kinds.join(', ')}), ${cost}`);
  }
  if (budget !== null) {
    const limit = (amount: number) => (amount < 0 ? null : amount * (1 + grants));
    const time = limit(budget.time_ms);
    const books = {
      max_tokens: limit(budget.tokens),
      max_cost_nanos: limit(budget.cost_nanos),
      max_calls: limit(budget.calls),
      spent_tokens: tokensOf(spent),
      spent_cost_nanos: spent.cost_usd === null ? null : nanosOf(spent.cost_usd),
      spent_calls: spent.calls,
    };
    lines.push(budgetLine(books, time === null ? '' : `${spent_ms} of ${time} ms of work`));
  }
  return lines;
}

type Books = Pick<
  MissionBudget,
  'max_tokens' | 'max_cost_nanos' | 'max_calls' | 'spent_tokens' | 'spent_cost_nanos' | 'spent_calls'
> &
  Partial<Pick<MissionBudget, 'reserved_tokens' | 'reserved_cost_nanos' | 'reserved_calls'>>;

/** `budget: 1200 of 5000 tokens, $0.02 of $1.00 (+ $0.10 reserved)`; what is not known is said to be unknown. */
export function budgetLine(books: Books, more = ''): string {
  const { max_tokens, max_cost_nanos, max_calls, spent_tokens, spent_cost_nanos, spent_calls } = books;
  const number = (amount: number) => String(amount);
  const parts = [
    part(spent_tokens, max_tokens, books.reserved_tokens, number, ' tokens'),
    part(spent_cost_nanos, max_cost_nanos, books.reserved_cost_nanos, dollars, ''),
    part(spent_calls, max_calls, books.reserved_calls, number, ' calls'),
    more,
  ];
  return `budget: ${parts.filter((each) => each !== '').join(', ')}`;
}

function part(
  spent: number | null,
  most: number | null,
  reserved: number | null | undefined,
  show: (amount: number) => string,
  unit: string,
): string {
  if (most === null) return '';
  const held = (reserved ?? 0) > 0 ? ` (+ ${show(reserved ?? 0)} reserved)` : '';
  return `${spent === null ? 'unknown' : show(spent)} of ${show(most)}${unit}${held}`;
}
