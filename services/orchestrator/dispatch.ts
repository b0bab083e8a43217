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

/** What is known of an assignment that waits to be begun, be it here or in the topic of its role. */
export type Waits = Pick<Assignment, 'role' | 'mission' | 'task_id' | 'attempt' | 'lease' | 'since'>;

/** One that was sent, and that nobody has begun. */
interface Outstanding extends Waits {
  /** When it was sent last, or restored; epoch ms. */
  readonly sentAt: number;
  /** How often it was sent again. */
  readonly resent: number;
}

export interface DispatchSettings {
  /** How many assignments a role may have outstanding in this partition, at least 1. */
  readonly limit: (role: string) => number;
}

interface Pool {
  readonly outstanding: Map<string, Outstanding>;
  readonly held: Map<string, Assignment>;
  readonly queue: DispatchQueue<Assignment>;
}

/** An assignment is sent again at most so rarely, ms. */
const rarestResendMs = 60 * 60 * 1000;

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
  /** The pools again, by key: what is sent and not begun, and what waits. */
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
  offer(assignment: Assignment, now: number, send: (assignment: Assignment) => void): void {
    const { key, role } = assignment;
    this.forget(key);
    const pool = this.pool(role);
    if (pool.queue.size === 0 && pool.outstanding.size < this.settings.limit(role)) {
      this.count(assignment, now);
      send(assignment);
      return;
    }
    this.changed.add(key);
    this.hold(assignment);
  }

  /** Sends what there is room for. */
  drain(now: number, send: (assignment: Assignment) => void, full: () => boolean = () => false): void {
    if (this.held.size === 0) return;
    for (const [role, pool] of this.pools) {
      if (pool.queue.size === 0) continue;
      const limit = this.settings.limit(role);
      while (pool.outstanding.size < limit && !full()) {
        const next = pool.queue.shift();
        if (next === undefined) break;
        this.held.delete(next.key);
        pool.held.delete(next.key);
        this.changed.add(next.key);
        this.count(next, now);
        send(next);
      }
    }
  }

  /** Whether something waits for which there is room. */
  hasRoom(): boolean {
    if (this.held.size === 0) return false;
    for (const [role, { queue, outstanding }] of this.pools) {
      if (queue.size > 0 && outstanding.size < this.settings.limit(role)) return true;
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
  *waitingFor(role: string): Iterable<Waits> {
    const pool = this.pools.get(role);
    if (pool === undefined) return;
    yield* pool.outstanding.values();
    yield* pool.held.values();
  }

  /** The roles that something is outstanding or waits for. */
  *roles(): Iterable<string> {
    for (const [role, { outstanding, held }] of this.pools) if (outstanding.size + held.size > 0) yield role;
  }

  /** What was sent to the role `afterMs` ago and is not begun; with each time that it is sent again, twice as long ago. */
  *unclaimed(role: string, now: number, afterMs: number): Iterable<Waits> {
    for (const each of this.pools.get(role)?.outstanding.values() ?? []) {
      if (now - each.sentAt >= Math.min(afterMs * 2 ** each.resent, Math.max(afterMs, rarestResendMs)))
        yield each;
    }
  }

  /** It was sent again. False: it is not outstanding any more. */
  resend({ mission, task_id, attempt, lease }: Waits, now: number): boolean {
    const key = keyOf(mission, task_id);
    const known = this.outstanding.get(key);
    if (known === undefined || known.attempt !== attempt || known.lease !== lease) return false;
    this.set(key, { ...known, sentAt: now, resent: known.resent + 1 });
    return true;
  }

  /** After a restore: what waits by the changelog, and what the states of the missions say besides. */
  restore(
    waiting: readonly (readonly [bytes: Buffer, event: EventOf<'task_assigned'>])[],
    missions: ReadonlyMap<string, MissionState>,
    now: number,
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
      this.hold(assignmentOf(state, event, bytes));
    }
    for (const { mission_id: mission, plan, tasks, updated_at: since } of missions.values()) {
      tasks.forEach(({ status, attempt, lease }, position) => {
        const spec = plan?.tasks[position];
        if (status !== 'assigned' || spec === undefined || spec.kind === 'mission') return;
        if (this.held.has(keyOf(mission, spec.id))) return;
        this.count({ role: spec.role, mission, task_id: spec.id, attempt, lease, since }, now);
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

  private count({ role, mission, task_id, attempt, lease, since }: Waits, sentAt: number): void {
    const sent = { role, mission, task_id, attempt, lease, since, sentAt, resent: 0 };
    this.set(keyOf(mission, task_id), sent);
  }

  private set(key: string, sent: Outstanding): void {
    this.outstanding.set(key, sent);
    this.pool(sent.role).outstanding.set(key, sent);
  }

  private hold(assignment: Assignment): void {
    const pool = this.pool(assignment.role);
    this.held.set(assignment.key, assignment);
    pool.held.set(assignment.key, assignment);
    pool.queue.push(assignment);
  }

  private forget(key: string): void {
    const sent = this.outstanding.get(key);
    if (sent !== undefined) {
      this.outstanding.delete(key);
      this.pool(sent.role).outstanding.delete(key);
    }
    const waiting = this.held.get(key);
    if (waiting === undefined) return;
    const pool = this.pool(waiting.role);
    this.held.delete(key);
    pool.held.delete(key);
    this.changed.add(key);
    pool.queue.remove(waiting);
  }

  private pool(role: string): Pool {
    let pool = this.pools.get(role);
    if (pool === undefined) {
      pool = { outstanding: new Map(), held: new Map(), queue: new DispatchQueue() };
      this.pools.set(role, pool);
    }
    return pool;
  }
}

/** Whether a key of the changelog is one of what waits. */
export const isDispatchKey = (key: string): boolean => key.startsWith(dispatchPrefix);

/** The mission that such a key belongs to. */
export const missionOf = (key: string): string => key.slice(dispatchPrefix.length).split('/', 1)[0] ?? '';

/** Whether the task still waits for an agent to begin this very lease. */
export function isCurrent(
  state: MissionState,
  { task_id, attempt, lease }: Pick<Waits, 'task_id' | 'attempt' | 'lease'>,
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
