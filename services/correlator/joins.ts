import type { FactEvent } from '#orchestrator/facts.ts';
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

/** event_ids of the reports of an aggregator: `trigger` is the event_id of the fact that it begins or ends with. */
export const startOf = (trigger: string, name: string): string => `${trigger}/${name}/started`;
export const endId = (trigger: string, name: string, status: 'completed' | 'timed_out'): string =>
  `${trigger}/${name}/${endings[status]}`;
export const isEndOf = (id: string, name: string): boolean =>
  Object.values(endings).some((ending) => id.endsWith(`/${name}/${ending}`));

const endings = { completed: 'completed', timed_out: 'timed-out' } as const;

/** Names of the patterns that the event fits. */
export function fitting({ events }: Aggregator, view: EventView): string[] {
  return events.filter((pattern) => fits(pattern, view)).map(patternName);
}

/** Bytes that the aggregators of a mission keep of what was said, each and together: all of it is one record. */
const mostSaid = { each: 1024, together: 128 * 1024 };

/** Bytes that one event may leave behind, where so many are waited for. */
export const roomFor = (events: number): number =>
  Math.min(mostSaid.each, Math.floor(mostSaid.together / Math.max(1, events)));

/**
 * The join with the event counted, or the same join: one event counts once, for one of the patterns that it fits. What
 * came before moves to another pattern that it fits, too, where that makes room: so the order of the events does not
 * matter.
 */
export function received(
  join: Join,
  patterns: readonly string[],
  { fact, hops }: { readonly fact: FactEvent; readonly hops: number },
  room = mostSaid.each,
): Join {
  const { event_id } = fact;
  if (join.received.some((event) => event.event_id === event_id)) return join;
  const holders = new Map<number, Unnamed>(
    join.received.map(({ name, ...event }) => [join.expected.indexOf(name), event]),
  );
  const places = join.expected.flatMap((name, at) => (patterns.includes(name) ? [at] : []));
  if (!seat({ event_id, hops, fits: places, said: said(fact, room) }, holders, new Set())) return join;
  const inOrder = join.expected.flatMap((name, at) => {
    const event = holders.get(at);
    return event === undefined ? [] : [{ name, ...event }];
  });
  return { ...join, received: inOrder };
}

type Unnamed = Omit<ReceivedEvent, 'name'>;

/** Finds a place for an event, moving others where they fit elsewhere. */
function seat(event: Unnamed, holders: Map<number, Unnamed>, tried: Set<number>): boolean {
  for (const place of event.fits) {
    if (tried.has(place)) continue;
    tried.add(place);
    const holder = holders.get(place);
    if (holder !== undefined && !seat(holder, holders, tried)) continue;
    holders.set(place, event);
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
