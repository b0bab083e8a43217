import type { EventOf } from '#schemas/types.gen.ts';
import type { Dispatcher } from './dispatch.ts';
import { orchestrator } from './facts.ts';
import type { MissionState } from './state.ts';

/** What is known of the agents that can be given work. */
export interface AgentsView {
  /** Tasks that all live agents of the role may hold together. */
  capacity(role: string): number;
  /** How many of these they do not hold. */
  free(role: string): number;
  /** Since when no live agent has had the role: epoch ms, 0 when none ever had; null: one has, or it is not known. */
  absentSince(role: string): number | null;
}

/** A mission waits for a role that nobody runs. */
export interface Absence {
  readonly mission: string;
  readonly role: string;
  /** The first of those that wait. */
  readonly tasks: readonly string[];
  readonly since: number;
}

/** An agent that has only just been started, or is started again, has so long; ms. */
const graceMs = 3000;
const mostTasks = 20;
const absencePrefix = 'unavailable/';

/** Which missions were told that nobody runs a role: once, until somebody does. Kept in the changelog. */
export class Absences {
  private readonly agents: AgentsView;
  private readonly told = new Map<string, Set<string>>();
  private readonly changed = new Map<string, Buffer | null>();
  private found: readonly Absence[] = [];

  constructor(agents: AgentsView) {
    this.agents = agents;
  }

  /** Call it about once a second: it looks at all that waits for roles that nobody runs. */
  look(dispatcher: Dispatcher, now: number): void {
    for (const role of this.told.keys()) if (this.agents.absentSince(role) === null) this.clear(role);
    this.found = [...dispatcher.roles()].flatMap((role) => {
      const since = this.agents.absentSince(role);
      return since === null ? [] : this.absencesOf(role, since, dispatcher, now);
    });
  }

  /** What was found when it was last looked, and is to be told. */
  get due(): readonly Absence[] {
    return this.found;
  }

  take(): readonly Absence[] {
    const { found } = this;
    this.found = [];
    return found;
  }

  /** Whether it still holds; it counts as told from now on. */
  tell({ mission, role }: Absence): boolean {
    const told = this.told.get(role) ?? new Set();
    if (told.has(mission) || this.agents.absentSince(role) === null) return false;
    this.told.set(role, told.add(mission));
    this.changed.set(keyOf(mission, role), Buffer.from('told'));
    return true;
  }

  /** The mission is over. */
  drop(mission: string): void {
    for (const [role, missions] of this.told) {
      if (missions.delete(mission)) this.changed.set(keyOf(mission, role), null);
    }
  }

  restore(key: string): void {
    const [role, mission] = splitKey(key);
    this.told.set(role, (this.told.get(role) ?? new Set()).add(mission));
  }

  *changes(): Iterable<readonly [key: string, value: Buffer | null]> {
    yield* this.changed;
    this.changed.clear();
  }

  private absencesOf(role: string, since: number, dispatcher: Dispatcher, now: number): Absence[] {
    const told = this.told.get(role);
    const missions = new Map<string, string[]>();
    for (const waiting of dispatcher.waitingFor(role)) {
      if (told?.has(waiting.mission) === true) continue;
      const tasks = missions.get(waiting.mission);
      // A mission's first is its oldest: the others add only their names.
      if (tasks !== undefined) {
        if (tasks.length < mostTasks) tasks.push(waiting.task_id);
      } else if (Math.max(since, waiting.since) + graceMs <= now) {
        missions.set(waiting.mission, [waiting.task_id]);
      }
    }
    return [...missions].map(([mission, tasks]) => ({ mission, role, tasks, since }));
  }

  private clear(role: string): void {
    for (const mission of this.told.get(role) ?? []) this.changed.set(keyOf(mission, role), null);
    this.told.delete(role);
  }
}

export const isAbsenceKey = (key: string): boolean => key.startsWith(absencePrefix);

const keyOf = (mission: string, role: string): string => `${absencePrefix}${role}/${mission}`;

function splitKey(key: string): [role: string, mission: string] {
  const slash = key.indexOf('/', absencePrefix.length);
  return [key.slice(absencePrefix.length, slash), key.slice(slash + 1)];
}

/** What the shell reports of it to its own mission. */
export function absenceReport(
  { priority }: MissionState,
  { mission, role, tasks, since }: Absence,
  now: number,
): EventOf<'role_unavailable'> {
  return {
    event_id: `${mission}:unavailable:${role}:${now}`,
    event_type: 'role_unavailable',
    source_agent: orchestrator,
    target_agent: 'person',
    timestamp: now,
    version: 1,
    correlation_id: mission,
    causation_id: '',
    priority,
    sequence: 0,
    previous_hash: '',
    payload: { role, tasks, since },
  };
}
