import type { FactDraft } from './facts.ts';
import { type Decision, type EmitInput, ignore, type ReactionReport, type TimerInput } from './input.ts';
import { fired } from './timers.ts';
import type { Turn } from './turn.ts';

/** What the correlator reports, and what people put onto the ledger. */

export function react(turn: Turn, event: ReactionReport): Decision {
  const { event_type, source_agent, target_agent, payload } = event;
  turn.add({ event_type, source_agent, target_agent, payload } as FactDraft);
  return turn.decision();
}

export function emit(turn: Turn, { emission, by }: EmitInput): Decision {
  const nobody = { task_id: '', attempt: 0, lease: 0, agent: '', step: 0 };
  const payload = { ...emission, ...nobody, subscription: '', trigger: '', hops: 0 };
  turn.add({ event_type: 'event_emitted', source_agent: by, target_agent: 'squad', payload });
  return turn.decision();
}

/** The timeout of an aggregator came due: what has been received by now is the correlator's to say. */
export function overdue(turn: Turn, timer: TimerInput): Decision {
  const join = turn.state.joins.find(({ aggregation }) => aggregation === timer.aggregation);
  if (join === undefined || join.due_at !== timer.due_at || timer.due_at > turn.now)
    return ignore('TimerStale');
  turn.add(fired(timer));
  return turn.decision();
}
