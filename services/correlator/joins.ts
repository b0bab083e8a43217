import type { Aggregator, ReceivedEvent } from '#schemas/types.gen.ts';
import { type EventView, said } from './event-view.ts';
import { fits, patternName } from './pattern.ts';
import type { Join } from './state.ts';

/** An aggregator begins. `at` (epoch ms) is the time of the fact that it begins with. */
export function begun({ name, events, timeout_ms }: Aggregator, own: boolean, at: number): Join {
  return {
    aggregation: name,
    expected: events.map(patternName),
    received: [],
    due_at: timeout_ms > 0 ? at + timeout_ms : 0,
    own,
    status: 'open',
  };
}

/** Names of the patterns that the event fits. */
export function fitting({ events }: Aggregator, view: EventView): string[] {
  return events.filter((pattern) => fits(pattern, view)).map(patternName);
}

/**
 * The join with the event counted, or the same join: one event counts once, for one of the patterns that it fits. What
 * came before moves to another pattern that it fits, too, where that makes room: so the order of the events does not
 * matter.
 */
export function received(
  join: Join,
  patterns: readonly string[],
  { fact, hops }: { readonly fact: EventView['fact']; readonly hops: number },
): Join {
  const { event_id } = fact;
  if (join.received.some((event) => event.event_id === event_id)) return join;
  const wanted = patterns.filter((name) => join.expected.includes(name));
  const holders = new Map<string, Omit<ReceivedEvent, 'name'>>(
    join.received.map(({ name, ...event }) => [name, event]),
  );
  if (!seat({ event_id, hops, fits: wanted, said: said(fact) }, holders, new Set())) return join;
  const inOrder = join.expected.flatMap((name) => {
    const event = holders.get(name);
    return event === undefined ? [] : [{ name, ...event }];
  });
  return { ...join, received: inOrder };
}

/** Finds a place for an event, moving others where they fit elsewhere. */
function seat(
  event: Omit<ReceivedEvent, 'name'>,
  holders: Map<string, Omit<ReceivedEvent, 'name'>>,
  tried: Set<string>,
): boolean {
  for (const name of event.fits) {
    if (tried.has(name)) continue;
    tried.add(name);
    const holder = holders.get(name);
    if (holder !== undefined && !seat(holder, holders, tried)) continue;
    holders.set(name, event);
    return true;
  }
  return false;
}

export const isComplete = (join: Join): boolean => join.received.length === join.expected.length;

/** What the report of an aggregator's end says. */
export function endOf(join: Join, least: number) {
  const names = join.received.map(({ name }) => name);
  return {
    aggregation: join.aggregation,
    received: names,
    missing: join.expected.filter((name) => !names.includes(name)),
    events: join.received.map(({ event_id }) => event_id),
    hops: Math.max(least, ...join.received.map(({ hops }) => hops)),
  };
}

/** What was received, by name, for who reacts to the end. */
export function eventsOf(join: Join | undefined): Record<string, unknown> {
  const entries = join?.received.map((event) => [event.name, { event_id: event.event_id, said: event.said }]);
  return { events: Object.fromEntries(entries ?? []) };
}
