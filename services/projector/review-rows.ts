import { left } from '#orchestrator/budget.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import type { MissionState } from '#orchestrator/state.ts';
import { nanosOf, tokensOf } from '#schemas/usage.ts';
import { instant } from './rows.ts';

/** What a fact says of a review; null: nothing. */
export function reviewRow(fact: FactEvent) {
  const mission_id = fact.correlation_id;
  const at = instant(fact.timestamp);
  switch (fact.event_type) {
    case 'review_requested': {
      const { review_id, task_id, kind, reason, tool, arguments_hash, expires_at } = fact.payload;
      const about = { task_id, kind, reason, tool, arguments: fact.payload.arguments, arguments_hash };
      const when = { requested_at: at, expires_at: instant(expires_at) };
      return { mission_id, review_id, ...about, ...when, status: 'waiting' };
    }
    case 'review_completed': {
      const { review_id, decision, reviewer, comment } = fact.payload;
      return { mission_id, review_id, status: decision, reviewer, comment, completed_at: at };
    }
    case 'timer_fired': {
      const { timer, review_id } = fact.payload;
      return timer === 'review' ? { mission_id, review_id, status: 'expired', completed_at: at } : null;
    }
    default:
      return null;
  }
}

/** Reviews that nobody has to answer any more: their task, their plan or their mission is over. */
export function withdrawnRows(before: MissionState | null, after: MissionState, fact: FactEvent) {
  if (before === null || before.reviews === after.reviews) return [];
  const answered = reviewRow(fact)?.review_id;
  const waiting = new Set(after.reviews.map(({ review_id }) => review_id));
  return before.reviews.flatMap(({ review_id }) =>
    review_id === answered || waiting.has(review_id)
      ? []
      : [
          {
            mission_id: fact.correlation_id,
            review_id,
            status: 'withdrawn',
            completed_at: instant(fact.timestamp),
          },
        ],
  );
}

/** The books of a mission; null: it has no budget. */
export function budgetRow(state: MissionState) {
  const { mission_id, policy, spent, grants, updated_at } = state;
  const { budget, on_exhausted } = policy.options;
  if (budget === null) return null;
  const limit = (amount: number) => (amount < 0 ? null : amount * (1 + grants));
  const free = left(state);
  const used = {
    tokens: tokensOf(spent),
    cost_nanos: spent.cost_usd === null ? null : nanosOf(spent.cost_usd),
    calls: spent.calls,
  };
  const reserved = (measure: 'tokens' | 'cost_nanos' | 'calls') =>
    budget[measure] < 0 || free === null
      ? null
      : (limit(budget[measure]) ?? 0) - (used[measure] ?? 0) - free[measure];
  return {
    mission_id,
    at_limit: on_exhausted,
    max_tokens: limit(budget.tokens),
    max_cost_nanos: limit(budget.cost_nanos),
    max_calls: limit(budget.calls),
    reserved_tokens: reserved('tokens'),
    reserved_cost_nanos: reserved('cost_nanos'),
    reserved_calls: reserved('calls'),
    spent_tokens: used.tokens,
    spent_cost_nanos: used.cost_nanos,
    spent_calls: used.calls,
    updated_at: instant(updated_at),
  };
}
