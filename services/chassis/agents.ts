import type { AgentHealthPayload } from '#schemas/types.gen.ts';
import { beatEveryMs } from './heartbeat.ts';

/** `lost`: it has said nothing for a while, and had not said goodbye. */
export type AgentState = 'pending' | 'running' | 'idle' | 'completed' | 'failed' | 'lost';

export interface Agent extends Omit<AgentHealthPayload, 'state'> {
  readonly state: AgentState;
  /** When it was heard of last; epoch ms. */
  readonly seen_at: number;
}

/** What was not heard of for so long is forgotten: a process has a new name with each start. */
export const forgottenAfterMs = 7 * 24 * 60 * 60 * 1000;

/** So many beats may be missing. */
export const lostAfterMs = 4 * beatEveryMs;

interface Heard {
  readonly health: AgentHealthPayload;
  readonly seenAt: number;
}

/** What is known of the agents by their health events, and by a clock: nobody says of himself that he is lost. */
export class Agents {
  private readonly heard = new Map<string, Heard>();

  /** `seenAt` (epoch ms) by the clock that is asked later on. */
  add(health: AgentHealthPayload, seenAt: number): void {
    const before = this.heard.get(health.agent);
    // The last word on a process is that of who saw it end: what it still had on its way does not revive it.
    if (before !== undefined && isOver(before.health) && !isOver(health) && seenAt <= before.seenAt) return;
    // Who saw it end does not know what it did.
    const whole =
      before !== undefined && isOver(health) && health.roles.length === 0
        ? {
            ...before.health,
            state: health.state,
            reason: health.reason,
            running: 0,
            pools: [],
            problems: [],
          }
        : health;
    this.heard.set(health.agent, { health: whole, seenAt });
  }

  get size(): number {
    return this.heard.size;
  }

  remove(agent: string): void {
    this.heard.delete(agent);
  }

  /** By service, and within it those that were started first come first. */
  list(now: number): Agent[] {
    for (const [agent, { seenAt }] of this.heard)
      if (now - seenAt > forgottenAfterMs) this.heard.delete(agent);
    return [...this.heard.values()]
      .map(({ health, seenAt }) => ({ ...health, state: stateOf(health, now - seenAt), seen_at: seenAt }))
      .sort(
        (a, b) =>
          a.service.localeCompare(b.service) || a.started_at - b.started_at || a.agent.localeCompare(b.agent),
      );
  }
}

/** Whether it can be given work, or will be soon. */
export const isAlive = ({ state }: Pick<Agent, 'state'>): boolean =>
  state === 'pending' || state === 'running' || state === 'idle';

function isOver({ state }: AgentHealthPayload): boolean {
  return state === 'stopped' || state === 'failed' || state === 'given_up';
}

function stateOf({ state, running, capacity }: AgentHealthPayload, silentMs: number): AgentState {
  switch (state) {
    case 'stopped':
      return 'completed';
    case 'failed':
    case 'given_up':
      return 'failed';
    default:
      if (silentMs > lostAfterMs) return 'lost';
      if (state === 'starting') return 'pending';
      return capacity > 0 && running === 0 ? 'idle' : 'running';
  }
}

/** What is known of one role: who runs it, and how much they can hold. */
export interface RoleAgents {
  readonly alive: number;
  readonly running: number;
  readonly capacity: number;
  /** When an agent that ran it was heard of last; epoch ms, 0: never. */
  readonly seenAt: number;
}

export function byRole(agents: readonly Agent[]): Map<string, RoleAgents> {
  const roles = new Map<string, RoleAgents>();
  for (const agent of agents) {
    for (const role of agent.roles) {
      const { alive, running, capacity, seenAt } = roles.get(role) ?? nobody;
      const lives = isAlive(agent);
      const pool = lives ? agent.pools.find((each) => each.role === role) : undefined;
      roles.set(role, {
        alive: alive + (lives ? 1 : 0),
        running: running + (pool?.running ?? 0),
        capacity: capacity + (pool?.capacity ?? 0),
        seenAt: Math.max(seenAt, agent.seen_at),
      });
    }
  }
  return roles;
}

export const nobody: RoleAgents = { alive: 0, running: 0, capacity: 0, seenAt: 0 };
