import type { FactEvent } from '#orchestrator/facts.ts';
import type { Aggregator } from '#schemas/types.gen.ts';
import { type EventView, viewOf } from './event-view.ts';
import { begun, endId, endOf, eventsOf, fitting, isComplete, received, roomFor, startOf } from './joins.ts';
import { react } from './react.ts';
import type { Correlation, Join } from './state.ts';
import type { Turn } from './turn.ts';

/** How aggregators begin, go on and end. */

export interface Known {
  readonly aggregator: Aggregator;
  readonly own: boolean;
}

/** What a mission says itself counts more than what stands for all under the same name. */
export function aggregatorsOf({ own }: Correlation, standing: readonly Aggregator[]): Known[] {
  const mine = own?.aggregators ?? [];
  const names = new Set(mine.map(({ name }) => name));
  const others = standing.filter(({ name }) => !names.has(name));
  return [
    ...mine.map((aggregator) => ({ aggregator, own: true })),
    ...others.map((aggregator) => ({ aggregator, own: false })),
  ];
}

export function begin(turn: Turn, aggregator: Aggregator, own: boolean): Join {
  const { event_id, timestamp } = turn.fact;
  const join = begun(aggregator, own, timestamp);
  turn.keep(join);
  const { aggregation, expected, due_at } = join;
  turn.report('aggregation_started', startOf(event_id, aggregation), {
    aggregation,
    expected,
    due_at,
    trigger: event_id,
  });
  return join;
}

/** Ends of aggregators are no events for aggregators: each would wait for itself. */
const ofAggregators: ReadonlySet<FactEvent['event_type']> = new Set([
  'aggregation_started',
  'aggregation_completed',
  'aggregation_timed_out',
  'reactions_settled',
]);

export function take(turn: Turn, aggregator: Aggregator, own: boolean, view: EventView): void {
  if (ofAggregators.has(turn.fact.event_type)) return;
  const known = turn.state.joins.get(aggregator.name);
  if (known !== undefined && known.status !== 'open') return;
  const patterns = fitting(aggregator, view);
  if (patterns.length === 0) return;
  // A mission's own has begun with it; a standing one begins with the first event of the mission that it waits for.
  const begunOrOpen = known ?? begin(turn, aggregator, own);
  const waitedFor = [...turn.state.joins.values()].reduce((sum, { expected }) => sum + expected.length, 0);
  const join = received(begunOrOpen, patterns, turn, roomFor(waitedFor));
  turn.keep(join);
  if (!isComplete(join)) return;
  turn.keep({ ...join, status: 'completed' });
  const id = endId(turn.fact.event_id, join.aggregation, 'completed');
  turn.report('aggregation_completed', id, endOf(join, turn.state.hops));
}

export function timeOut(turn: Turn, join: Join): void {
  turn.keep({ ...join, status: 'timed_out' });
  const id = endId(turn.fact.event_id, join.aggregation, 'timed_out');
  turn.report('aggregation_timed_out', id, endOf(join, turn.state.hops));
}

/** The ledger says which end counts: an aggregator reacts to that fact, not to its own report. */
export function reactToEnd(turn: Turn, aggregators: readonly Known[], ledger: string): void {
  const { fact, state } = turn;
  if (fact.event_type !== 'aggregation_completed' && fact.event_type !== 'aggregation_timed_out') return;
  const { aggregation: name } = fact.payload;
  const known = aggregators.find(({ aggregator }) => aggregator.name === name);
  if (known === undefined) return;
  const { on_complete, on_timeout } = known.aggregator;
  const reaction = fact.event_type === 'aggregation_completed' ? on_complete : on_timeout;
  if (reaction === null) return;
  const view = viewOf(fact, ledger, eventsOf(state.joins.get(name)));
  react(turn, view, { name, role: '', reaction, standing: !known.own });
}
