import type { FactEvent } from '#orchestrator/facts.ts';
import type { ReactionReport } from '#orchestrator/input.ts';
import type { Aggregator, MissionCommand, Subscription } from '#schemas/types.gen.ts';
import { aggregatorsOf, begin, reactToEnd, take, timeOut } from './aggregating.ts';
import { type EventView, viewOf } from './event-view.ts';
import { evolve } from './evolve.ts';
import { fits } from './pattern.ts';
import { react } from './react.ts';
import { settle } from './settling.ts';
import { type Correlation, isWorthKeeping, unknown } from './state.ts';
import { Turn } from './turn.ts';

/** What holds for every mission. */
export interface Standing {
  readonly subscriptions: readonly Subscription[];
  readonly aggregators: readonly Aggregator[];
}

export interface Rules {
  readonly standing: Standing;
  /** Name of the topic of the ledger, for filters. */
  readonly ledger: string;
}

export interface Correlated {
  /** Null: nothing has to be known of the mission any more, or yet. */
  readonly state: Correlation | null;
  /** In this order. */
  readonly reports: readonly ReactionReport[];
  /** Missions that standing subscriptions begin. */
  readonly missions: readonly MissionCommand[];
}

/**
 * What follows from a fact: aggregators that begin, go on or end, reactions of what subscribes to it, and, when nothing
 * is left to react to, that the mission may end. Pure: the same state, fact and rules give the same reports. A fact
 * that was given before gives none.
 */
export function correlate(before: Correlation | null, fact: FactEvent, rules: Rules): Correlated {
  const known = before ?? unknown(fact.correlation_id);
  if (fact.sequence <= known.sequence) return { state: before, reports: [], missions: [] };
  const turn = new Turn(evolve(known, fact), fact);
  const view = viewOf(fact, rules.ledger);
  const aggregators = aggregatorsOf(turn.state, rules.standing.aggregators);

  if (fact.event_type === 'mission_accepted') {
    for (const aggregator of turn.state.own?.aggregators ?? []) begin(turn, aggregator, true);
  }
  for (const { aggregator, own } of aggregators) take(turn, aggregator, own, view);
  if (fact.event_type === 'timer_fired' && fact.payload.timer === 'aggregation') {
    const join = turn.state.joins.get(fact.payload.aggregation);
    if (join?.status === 'open') timeOut(turn, join);
  }
  reactToEnd(turn, aggregators, rules.ledger);
  subscribe(turn, view, rules.standing);
  if (isEnd(fact)) return { state: null, reports: [], missions: turn.missions };
  settle(turn);
  return {
    state: isWorthKeeping(turn.state) ? turn.state : null,
    reports: turn.reports,
    missions: turn.missions,
  };
}

/** After its last fact a mission takes no report. */
function isEnd({ event_type }: FactEvent): boolean {
  switch (event_type) {
    case 'mission_completed':
    case 'mission_failed':
    case 'mission_cancelled':
    case 'mission_rejected':
      return true;
    default:
      return false;
  }
}

function subscribe(turn: Turn, view: EventView, standing: Standing): void {
  const mine = turn.state.own?.subscriptions ?? [];
  const names = new Set(mine.map(({ name }) => name));
  const others = standing.subscriptions.filter(({ name }) => !names.has(name));
  for (const [subscriptions, stands] of [
    [mine, false],
    [others, true],
  ] as const) {
    for (const { name, role, on, reaction, most } of subscriptions) {
      if (most > 0 && (turn.state.counts.get(name) ?? 0) >= most) continue;
      if (fits(on, view)) react(turn, view, { name, role, reaction, standing: stands });
    }
  }
}
