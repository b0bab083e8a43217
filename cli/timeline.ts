/** The facts of some missions as one story: in order, each with how long after the first it was, and what led to it. */
import type { FactEvent } from '#orchestrator/facts.ts';
import { type Cause, Causes } from './timeline-cause.ts';

export interface Moment {
  readonly fact: FactEvent;
  /** Milliseconds since the first moment. */
  readonly after: number;
  readonly cause: Cause;
  /** The fact that led to it, where it is known. */
  readonly by: FactEvent | null;
}

export interface TimelineMission {
  readonly id: string;
  readonly name: string;
  /** running, completed, failed, cancelled or rejected. */
  readonly status: string;
  /** What began it, in another mission; null: nothing did. */
  readonly begun_by: {
    readonly mission: string;
    readonly event_id: string;
    readonly as: 'task' | 'reaction';
  } | null;
  /** It is there only to say what led to the others. */
  readonly above: boolean;
}

export interface Timeline {
  /** In the order of their first moments. */
  readonly missions: readonly TimelineMission[];
  readonly moments: readonly Moment[];
}

/**
 * `facts` are those of the missions, each mission's in the order of the ledger. Of the missions in `above`, which led to
 * the others, only what leads to a fact of the others, or follows directly from one, is taken.
 */
export function timelineOf(facts: readonly FactEvent[], above: ReadonlySet<string> = new Set()): Timeline {
  const causes = new Causes(facts);
  const known = new Map(facts.map((fact) => [fact.event_id, fact]));
  const causeOf = new Map(facts.map((fact) => [fact.event_id, causes.of(fact)]));
  const by = (fact: FactEvent): FactEvent | null => {
    const cause = causeOf.get(fact.event_id);
    return cause?.kind === 'fact' ? (known.get(cause.event_id) ?? null) : null;
  };
  const taken = takenOf(facts, above, by);
  const inTurn = inOrder(
    facts.filter(({ event_id }) => taken.has(event_id)),
    by,
  );
  const start = Math.min(...inTurn.slice(0, 1).map(({ timestamp }) => timestamp));
  const places = new Map(inTurn.map(({ event_id }, at) => [event_id, at]));
  const moments = inTurn.map((fact, at): Moment => {
    const cause = causeOf.get(fact.event_id) ?? { kind: 'report', input: fact.causation_id };
    const led = by(fact);
    // Nothing leads to what was before it, whatever it says.
    const earlier = led !== null && (places.get(led.event_id) ?? at) < at;
    return { fact, after: fact.timestamp - start, cause, by: earlier ? led : null };
  });
  const missions = missionsOf(facts, above, by);
  const ids = [...new Set(inTurn.map(({ correlation_id }) => correlation_id))];
  return { missions: ids.flatMap((id) => missions.get(id) ?? []), moments };
}

function takenOf(
  facts: readonly FactEvent[],
  above: ReadonlySet<string>,
  by: (fact: FactEvent) => FactEvent | null,
): ReadonlySet<string> {
  const taken = new Set<string>();
  for (const fact of facts) {
    if (above.has(fact.correlation_id)) continue;
    for (let at: FactEvent | null = fact; at !== null && !taken.has(at.event_id); at = by(at)) {
      taken.add(at.event_id);
    }
  }
  for (const fact of facts) {
    const cause = by(fact);
    if (cause !== null && !above.has(cause.correlation_id)) taken.add(fact.event_id);
  }
  return taken;
}

/** By time; but never before the one before it in its mission, nor before what led to it. */
function inOrder(
  facts: readonly FactEvent[],
  by: (fact: FactEvent) => FactEvent | null,
): readonly FactEvent[] {
  const before = new Map<string, FactEvent>();
  const last = new Map<string, FactEvent>();
  const wanted = new Set(facts.map(({ event_id }) => event_id));
  for (const fact of facts) {
    const previous = last.get(fact.correlation_id);
    if (previous !== undefined) before.set(fact.event_id, previous);
    last.set(fact.correlation_id, fact);
  }
  const ordered: FactEvent[] = [];
  const seen = new Set<string>();
  const done = new Set<string>();
  for (const fact of facts.toSorted((a, b) => a.timestamp - b.timestamp)) {
    // An own stack: a chain of causes can be as long as the ledger.
    const waiting = [fact];
    for (let top = waiting.at(-1); top !== undefined; top = waiting.at(-1)) {
      const first = seen.has(top.event_id) ? [] : [by(top), before.get(top.event_id)];
      seen.add(top.event_id);
      const missing = first.filter((each) => each && wanted.has(each.event_id) && !seen.has(each.event_id));
      if (missing.length > 0) {
        waiting.push(...missing.filter((each) => each !== null && each !== undefined));
        continue;
      }
      waiting.pop();
      if (!done.has(top.event_id)) ordered.push(top);
      done.add(top.event_id);
    }
  }
  return ordered;
}

function missionsOf(
  facts: readonly FactEvent[],
  above: ReadonlySet<string>,
  by: (fact: FactEvent) => FactEvent | null,
): ReadonlyMap<string, TimelineMission> {
  const missions = new Map<string, TimelineMission>();
  for (const fact of facts) {
    const id = fact.correlation_id;
    const known = missions.get(id) ?? {
      ...{ id, name: '', status: 'running', begun_by: null },
      above: above.has(id),
    };
    missions.set(id, { ...known, ...saidOf(fact, by) });
  }
  return missions;
}

function saidOf(fact: FactEvent, by: (fact: FactEvent) => FactEvent | null): Partial<TimelineMission> {
  switch (fact.event_type) {
    case 'mission_accepted': {
      const { name, brief, parent, tasks } = fact.payload;
      const named = { name: name === '' ? brief : name };
      const cause = by(fact);
      if (parent !== null) {
        const event_id = cause?.event_id ?? '';
        return { ...named, begun_by: { mission: parent.mission_id, event_id, as: 'task' } };
      }
      const caused_by = tasks.find((task) => task.caused_by !== '')?.caused_by ?? '';
      if (caused_by === '') return named;
      return {
        ...named,
        begun_by: { mission: missionOfFact(caused_by), event_id: caused_by, as: 'reaction' },
      };
    }
    case 'mission_completed':
    case 'mission_failed':
    case 'mission_cancelled':
    case 'mission_rejected':
      return { status: fact.event_type.slice('mission_'.length) };
    default:
      return {};
  }
}

/** A fact's id is `<mission>:<sequence>`; anything else gives itself. */
export const missionOfFact = (event_id: string): string => /^(.*):\d+$/s.exec(event_id)?.[1] ?? event_id;
