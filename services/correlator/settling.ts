import type { FactEvent } from '#orchestrator/facts.ts';
import { timeOut } from './aggregating.ts';
import { reacts } from './state.ts';
import type { Turn } from './turn.ts';

/**
 * A mission that reacts does not end with its last task: a reaction may still be on its way. It ends when it is told
 * that everything that reacts has seen its ledger up to some fact, and that fact is still the newest. What was reported
 * before it arrives before it: whatever of it became a fact makes this telling stale, and there will be another.
 *
 * The same is told when tasks are left and all that was begun of them waits for what another should provide: a reaction
 * could have brought in somebody. Whether anything goes on after all, the orchestrator knows better.
 */
export function settle(turn: Turn): void {
  const { state, fact } = turn;
  if (!reacts(state) || state.own === null || fact.event_type === 'reactions_settled') return;
  if (state.begun < state.own.events.length) return;
  const left = [...state.tasks.values()].filter(({ ended }) => !ended);
  if (left.length === 0) {
    if (!state.planned || isWorkToCome(fact, state.own.on_failure)) return;
  } else if (left.some(({ doing }) => doing === 'busy') || !left.some(({ doing }) => doing === 'waits')) {
    return;
  }
  // A standing aggregator lives as long as the mission, and holds none up.
  const open = [...state.joins.values()].filter((join) => join.own && join.status === 'open');
  if (open.some(({ due_at }) => due_at > 0)) return;
  // Nothing is given up as long as a task, or a report on its way, may lead to more.
  if (left.length === 0 && state.reports.size === 0) for (const join of open) timeOut(turn, join);
  const { sequence, event_id } = fact;
  turn.report('reactions_settled', `${event_id}/settled`, { up_to: sequence });
}

/** In the same decision follows what is done about the failure. */
function isWorkToCome({ event_type }: FactEvent, on_failure: string): boolean {
  if (event_type !== 'task_failed' && event_type !== 'safety_violation') return false;
  return on_failure !== 'continue' && on_failure !== 'fail_fast';
}
