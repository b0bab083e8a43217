import type { FactEvent } from '#orchestrator/facts.ts';
import { inFlight, type MissionState } from '#orchestrator/state.ts';
import { shownStatus, toldTo } from '#orchestrator/undoing.ts';
import type { MissionPolicy, Usage } from '#schemas/types.gen.ts';

/**
 * What the tables show of a mission. Missions and tasks are rows of the state that `evolve` gives; attempts and the
 * timeline are rows of the facts themselves. Times are ISO texts, null: not set.
 */

export interface MissionRow {
  readonly mission_id: string;
  readonly partition: number;
  readonly name: string;
  readonly brief: string;
  readonly status: string;
  readonly priority: string;
  readonly policy: MissionPolicy;
  readonly waves: number;
  readonly tasks: number;
  readonly in_flight: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly created_at: string | null;
  readonly updated_at: string | null;
  readonly ended_at: string | null;
  readonly deadline_at: string | null;
  readonly sequence: number;
  readonly head_hash: string;
  readonly traceparent: string;
  /** How it ended; null: the facts at hand do not say. */
  readonly result: string | null;
  readonly code: string | null;
  readonly message: string | null;
  /** The task of another mission that this mission is; null: a mission of its own. */
  readonly parent_mission_id: string | null;
  readonly parent_task_id: string | null;
  /** Missions above this one. */
  readonly depth: number;
}

export type Outcome = Pick<MissionRow, 'result' | 'code' | 'message'>;
export const noOutcome: Outcome = { result: null, code: null, message: null };

export interface TaskRow {
  readonly mission_id: string;
  readonly task_id: string;
  readonly position: number;
  readonly role: string;
  readonly wave: number;
  readonly description: string;
  readonly needs: readonly string[];
  readonly timeout_ms: number;
  readonly max_attempts: number;
  /** The task that it undoes; empty: none. */
  readonly compensates: string;
  readonly status: string;
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly retry_at: string | null;
  readonly result: string;
  readonly code: string;
  readonly message: string;
  /** The dependency that it waits for; empty: none. */
  readonly waiting_for: string;
  /** The event_id that it reacts to; empty: it was planned. */
  readonly caused_by: string;
}

/** What one fact says of an attempt. A field that is left out is not spoken of. */
export interface AttemptRow extends Partial<Usage> {
  readonly mission_id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly status: 'assigned' | 'running' | 'released' | 'completed' | 'failed' | 'handed_over' | 'cancelled';
  readonly lease: number;
  readonly role?: string;
  readonly agent?: string;
  readonly assigned_at?: string | null;
  readonly started_at?: string | null;
  readonly ended_at?: string | null;
  readonly retry_at?: string | null;
  readonly code?: string;
  readonly message?: string;
  readonly steps?: number;
  readonly journal_hash?: string;
  readonly duration_ms?: number;
}

export interface TimelineRow {
  readonly mission_id: string;
  readonly sequence: number;
  readonly partition: number;
  readonly offset: number;
  readonly event_type: string;
  readonly source: string;
  readonly target: string;
  readonly task_id: string;
  readonly causation_id: string;
  readonly at: string | null;
  readonly payload: object;
}

/** The end of the year 9999: later times, which only nonsense has, are none. */
const latest = 253_402_300_799_999;

/** Epoch ms as PostgreSQL reads it; null for 0 and for what is no time. */
export function instant(ms: number): string | null {
  return ms > 0 && ms <= latest ? new Date(ms).toISOString() : null;
}

export function missionRow(
  state: MissionState,
  place: { readonly partition: number; readonly sequence: number; readonly head_hash: string },
  outcome: Outcome,
): MissionRow {
  const counts = { completed: 0, failed: 0, cancelled: 0, in_flight: 0 };
  for (const task of state.tasks) {
    if (inFlight(task)) counts.in_flight += 1;
    else if (task.status === 'completed' || task.status === 'failed' || task.status === 'cancelled') {
      counts[task.status] += 1;
    }
  }
  const { mission_id, name, brief, priority, policy, traceparent, parent, depth } = state;
  return {
    mission_id,
    name,
    brief,
    status: shownStatus(state),
    priority,
    policy,
    traceparent,
    ...place,
    waves: state.plan === null ? 0 : state.plan.waves.length - 1,
    tasks: state.tasks.length,
    ...counts,
    created_at: instant(state.created_at),
    updated_at: instant(state.updated_at),
    ended_at: instant(state.ended_at),
    deadline_at: instant(state.deadline_at),
    ...outcome,
    parent_mission_id: parent?.mission_id ?? null,
    parent_task_id: parent?.task_id ?? null,
    depth,
  };
}

/** The tasks that differ from those of `before`, an earlier state of the mission; all of them when that is null. */
export function taskRows(state: MissionState, before: MissionState | null): TaskRow[] {
  const { plan, mission_id } = state;
  if (plan === null || before?.tasks === state.tasks) return [];
  const samePlan = before?.plan === plan;
  return plan.tasks.flatMap((spec, position) => {
    const task = state.tasks[position];
    if (task === undefined || (samePlan && before.tasks[position] === task)) return [];
    const { id, role, wave, needs, timeout_ms, max_attempts, caused_by, compensates } = spec;
    const { description } = toldTo(state, spec);
    const { status, attempt, lease, agent, result, code, message, waiting_for } = task;
    const told = { status, attempt, lease, agent, result, code, message, waiting_for, caused_by };
    return {
      ...{
        mission_id,
        task_id: id,
        position,
        role,
        wave,
        description,
        needs,
        timeout_ms,
        max_attempts,
        compensates,
        ...told,
      },
      started_at: instant(task.started_at),
      ended_at: instant(task.ended_at),
      retry_at: instant(task.retry_at),
    };
  });
}

/** What a fact says of an attempt; null: nothing. `before` is the state that it came upon. */
export function attemptRow(fact: FactEvent, before: MissionState | null): AttemptRow | null {
  const at = instant(fact.timestamp);
  switch (fact.event_type) {
    case 'task_assigned':
      return { ...attemptKey(fact), role: fact.payload.role, status: 'assigned', assigned_at: at };
    case 'task_started':
      return { ...attemptKey(fact), agent: fact.payload.agent, status: 'running', started_at: at };
    case 'task_released':
      return { ...attemptKey(fact), agent: fact.payload.agent, status: 'released' };
    case 'task_completed': {
      const { agent, steps, journal_hash, duration_ms, usage } = fact.payload;
      const told = { agent, steps, journal_hash, duration_ms, ...usedBy(usage) };
      return { ...attemptKey(fact), ...told, status: 'completed', ended_at: at };
    }
    case 'agent_handoff': {
      const { agent, steps, journal_hash, reason, duration_ms, usage } = fact.payload;
      const told = { agent, steps, journal_hash, message: reason, duration_ms, ...usedBy(usage) };
      return { ...attemptKey(fact), ...told, status: 'handed_over', ended_at: at };
    }
    case 'task_attempt_failed':
    case 'task_failed': {
      const { agent, steps, journal_hash, code, message, duration_ms, usage } = fact.payload;
      const retry_at = 'retry_at' in fact.payload ? instant(fact.payload.retry_at) : null;
      const told = { agent, steps, journal_hash, code, message, retry_at, duration_ms, ...usedBy(usage) };
      return { ...attemptKey(fact), ...told, status: 'failed', ended_at: at };
    }
    case 'task_cancelled': {
      const position = before?.plan?.index.get(fact.payload.task_id) ?? -1;
      const task = before?.tasks[position];
      // A task that waits has no attempt to cancel: the last one has failed, the next one has not begun.
      if (task === undefined || !(inFlight(task) || task.status === 'parked')) return null;
      return { ...attemptKey(fact), status: 'cancelled', message: fact.payload.reason, ended_at: at };
    }
    default:
      return null;
  }
}

/** The columns of what was used up; calls are counted by their own rows. */
export function usedBy({
  input_tokens,
  output_tokens,
  cache_read_tokens,
  cache_write_tokens,
  cost_usd,
}: Usage) {
  return { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd };
}

function attemptKey(fact: {
  readonly correlation_id: string;
  readonly payload: { readonly task_id: string; readonly attempt: number; readonly lease: number };
}) {
  const { task_id, attempt, lease } = fact.payload;
  return { mission_id: fact.correlation_id, task_id, attempt, lease };
}

export function timelineRow(fact: FactEvent, partition: number, offset: number): TimelineRow {
  const { correlation_id, sequence, event_type, causation_id, payload } = fact;
  return {
    ...{ mission_id: correlation_id, sequence, partition, offset, event_type, causation_id, payload },
    source: fact.source_agent,
    target: fact.target_agent,
    task_id: taskOf(fact),
    at: instant(fact.timestamp),
  };
}

function taskOf({ event_type, payload }: FactEvent): string {
  if (event_type === 'task_requested') return payload.task.id;
  return 'task_id' in payload ? payload.task_id : '';
}

/** How a mission ended, from the fact that ends it. */
export function outcomeOf(fact: FactEvent): Outcome | null {
  switch (fact.event_type) {
    case 'mission_completed':
      return { ...noOutcome, result: fact.payload.result };
    case 'mission_failed':
    case 'mission_rejected':
      return { ...noOutcome, code: fact.payload.code, message: fact.payload.message };
    case 'mission_cancelled':
      return { ...noOutcome, message: fact.payload.reason };
    default:
      return null;
  }
}
