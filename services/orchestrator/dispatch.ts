import type { EventOf } from '#schemas/types.gen.ts';
import { DispatchQueue, type Waiting } from './dispatch-queue.ts';
import type { FactDraft } from './facts.ts';
import { priorityOf } from './priority.ts';
import type { MissionState } from './state.ts';

/** An assignment on its way to the topic of its role. */
export interface Assignment extends Waiting {
  readonly role: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly lease: number;
  /** When the ledger says so; epoch ms. */
  readonly since: number;
  /** The fact as the ledger has it: what the role is sent. */
  readonly bytes: Buffer;
  readonly traceparent: string;
}

/** One that was sent, and that nobody has begun. */
type Outstanding = Pick<Assignment, 'role' | 'mission' | 'task_id' | 'attempt' | 'lease' | 'since'>;

export interface DispatchSettings {
  /** How many assignments a role may have outstanding in this partition, at least 1. */
  readonly limit: (role: string) => number;
}

interface Pool {
  outstanding: number;
  readonly queue: DispatchQueue<Assignment>;
}

const dispatchPrefix = 'dispatch/';
const keyOf = (mission: string, task_id: string): string => `${mission}/${task_id}`;

/**
 * When the assignments of one partition go to their roles. A role has at most so many outstanding, which are sent and
 * neither begun nor over; the others wait here, in the order of their priority (`dispatch-queue.ts`). What is
 * outstanding follows from the states of the missions; what waits is kept in the changelog, and was never sent.
 */
export class Dispatcher {
  private readonly settings: DispatchSettings;
  private readonly pools = new Map<string, Pool>();
  private readonly outstanding = new Map<string, Outstanding>();
  private readonly held = new Map<string, Assignment>();
  /** What waits by the changelog. */
  private readonly written = new Set<string>();
  private readonly changed = new Set<string>();

  constructor(settings: DispatchSettings) {
    this.settings = settings;
  }

  /** How many wait. */
  get size(): number {
    return this.held.size;
  }

  /** Takes a new assignment: sent at once where there is room and nothing waits. */
  offer(assignment: Assignment, send: (assignment: Assignment) => void): void {
    const { key, role } = assignment;
    this.forget(key);
    const pool = this.pool(role);
    if (pool.queue.size === 0 && pool.outstanding < this.settings.limit(role)) {
      this.count(assignment);
      send(assignment);
      return;
    }
    this.held.set(key, assignment);
    this.changed.add(key);
    pool.queue.push(assignment);
  }

  /** Sends what there is room for. */
  drain(send: (assignment: Assignment) => void): void {
    if (this.held.size === 0) return;
    for (const [role, pool] of this.pools) {
      if (pool.queue.size === 0) continue;
      const limit = this.settings.limit(role);
      while (pool.outstanding < limit) {
        const next = pool.queue.shift();
        if (next === undefined) break;
        this.held.delete(next.key);
        this.changed.add(next.key);
        this.count(next);
        send(next);
      }
    }
  }

  /** Whether something waits for which there is room. */
  hasRoom(): boolean {
    if (this.held.size === 0) return false;
    for (const [role, { queue, outstanding }] of this.pools) {
      if (queue.size > 0 && outstanding < this.settings.limit(role)) return true;
    }
    return false;
  }

  /**
   * What these facts have begun or ended is no longer outstanding, and what they have withdrawn no longer waits. Gives
   * the tasks of whose attempt nothing was ever sent.
   */
  settle(state: MissionState, facts: readonly FactDraft[]): Set<string> {
    const unsent = new Set<string>();
    for (const { payload } of facts) {
      if (!('task_id' in payload) || payload.task_id === '') continue;
      const key = keyOf(state.mission_id, payload.task_id);
      const waiting = this.held.get(key);
      const known = waiting ?? this.outstanding.get(key);
      if (known === undefined || isCurrent(state, known)) continue;
      if (waiting?.resume === false) unsent.add(payload.task_id);
      this.forget(key);
    }
    return unsent;
  }

  /** The mission is over. */
  drop(state: MissionState): void {
    for (const { id } of state.plan?.tasks ?? []) this.forget(keyOf(state.mission_id, id));
  }

  /** What is outstanding or waits for the role, the oldest first. */
  *waitingFor(role: string): Iterable<Outstanding> {
    for (const each of this.outstanding.values()) if (each.role === role) yield each;
    for (const each of this.held.values()) if (each.role === role) yield each;
  }

  /** The roles that something is outstanding or waits for. */
  *roles(): Iterable<string> {
    for (const [role, { outstanding, queue }] of this.pools) if (outstanding + queue.size > 0) yield role;
  }

  /** After a restore: what waits by the changelog, and what the states of the missions say besides. */
  restore(
    waiting: readonly (readonly [bytes: Buffer, event: EventOf<'task_assigned'>])[],
    missions: ReadonlyMap<string, MissionState>,
  ): void {
    // The changelog has them in the order in which they came to wait, but for those of one millisecond.
    for (const [bytes, event] of waiting.toSorted(([, a], [, b]) => a.timestamp - b.timestamp)) {
      const state = missions.get(event.correlation_id);
      const key = keyOf(event.correlation_id, event.payload.task_id);
      this.written.add(key);
      if (state === undefined || !isCurrent(state, event.payload)) {
        this.changed.add(key);
        continue;
      }
      const assignment = assignmentOf(state, event, bytes);
      this.held.set(key, assignment);
      this.pool(assignment.role).queue.push(assignment);
    }
    for (const { mission_id: mission, plan, tasks, updated_at: since } of missions.values()) {
      tasks.forEach(({ status, attempt, lease }, position) => {
        const spec = plan?.tasks[position];
        if (status !== 'assigned' || spec === undefined || spec.kind === 'mission') return;
        if (this.held.has(keyOf(mission, spec.id))) return;
        this.count({ role: spec.role, mission, task_id: spec.id, attempt, lease, since });
      });
    }
  }

  /** What waits and what no longer does, since this was last asked for; as the changelog has it. */
  *changes(): Iterable<readonly [key: string, value: Buffer | null]> {
    for (const key of this.changed) {
      const waiting = this.held.get(key);
      if (waiting !== undefined) {
        this.written.add(key);
        yield [dispatchPrefix + key, waiting.bytes];
      } else if (this.written.delete(key)) yield [dispatchPrefix + key, null];
    }
    this.changed.clear();
  }

  close(): void {
    for (const each of [this.pools, this.outstanding, this.held, this.written, this.changed]) each.clear();
  }

  private count(each: Outstanding): void {
    this.outstanding.set(keyOf(each.mission, each.task_id), each);
    this.pool(each.role).outstanding += 1;
  }

  private forget(key: string): void {
    const sent = this.outstanding.get(key);
    if (sent !== undefined) {
      this.outstanding.delete(key);
      this.pool(sent.role).outstanding -= 1;
    }
    const waiting = this.held.get(key);
    if (waiting === undefined) return;
    this.held.delete(key);
    this.changed.add(key);
    this.pool(waiting.role).queue.remove(waiting);
  }

  private pool(role: string): Pool {
    let pool = this.pools.get(role);
    if (pool === undefined) {
      pool = { outstanding: 0, queue: new DispatchQueue() };
      this.pools.set(role, pool);
    }
    return pool;
  }
}

/** Whether a key of the changelog is one of what waits. */
export const isDispatchKey = (key: string): boolean => key.startsWith(dispatchPrefix);

/** Whether the task still waits for an agent to begin this very lease. */
export function isCurrent(
  state: MissionState,
  { task_id, attempt, lease }: Pick<Outstanding, 'task_id' | 'attempt' | 'lease'>,
): boolean {
  const task = state.tasks[state.plan?.index.get(task_id) ?? -1];
  return task?.status === 'assigned' && task.attempt === attempt && task.lease === lease;
}

/** `state`: of the mission, after the decision. */
export function assignmentOf(
  state: MissionState,
  { payload, timestamp }: EventOf<'task_assigned'>,
  bytes: Buffer,
): Assignment {
  const { task_id, role, attempt, lease } = payload;
  const { mission_id: mission, created_at: began, traceparent } = state;
  return {
    ...{ role, mission, task_id, attempt, lease, since: timestamp },
    key: keyOf(mission, task_id),
    began,
    priority: priorityOf(state, task_id),
    resume: lease > 1,
    bytes,
    traceparent,
  };
}
