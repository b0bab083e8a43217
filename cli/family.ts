/** The missions that a mission comes from, and those that come from it. */
import type { EventOf } from '#schemas/types.gen.ts';
import { missionOfFact } from './timeline.ts';

/** How one mission was begun by another. */
export interface Birth {
  readonly mission: string;
  /** The missions that began it: the one whose task it is, or the one whose event it reacts to. */
  readonly from: readonly string[];
}

export function birthOf({ correlation_id, payload }: EventOf<'mission_accepted'>): Birth {
  const { parent, tasks } = payload;
  const reacts = tasks.flatMap(({ caused_by }) => (caused_by === '' ? [] : [missionOfFact(caused_by)]));
  const from = parent === null ? reacts : [parent.mission_id, ...reacts];
  return { mission: correlation_id, from: [...new Set(from)].filter((id) => id !== correlation_id) };
}

export interface Family {
  /** What the mission comes from, directly or not. */
  readonly above: ReadonlySet<string>;
  /** The mission, and what comes from it, directly or not. */
  readonly within: ReadonlySet<string>;
}

export function familyOf(mission: string, births: readonly Birth[]): Family {
  const parents = new Map(births.map((birth) => [birth.mission, birth.from]));
  const children = new Map<string, string[]>();
  for (const birth of births) {
    for (const from of birth.from) {
      const siblings = children.get(from);
      if (siblings === undefined) children.set(from, [birth.mission]);
      else siblings.push(birth.mission);
    }
  }
  const within = reached(mission, children);
  const above = reached(mission, parents);
  for (const id of within) above.delete(id);
  return { above, within };
}

function reached(from: string, next: ReadonlyMap<string, readonly string[]>): Set<string> {
  const found = new Set([from]);
  for (const id of found) for (const each of next.get(id) ?? []) found.add(each);
  return found;
}
