import type { FactEvent } from '#orchestrator/facts.ts';
import type { MissionState, TaskState } from '#orchestrator/state.ts';
import type { Durations, RoleStatisticsPayload } from '#schemas/types.gen.ts';
import { nanosOf, tokensOf } from '#schemas/usage.ts';

/** The figures of a role, as they are added up. */
export type RoleTotals = {
  -readonly [Field in keyof Omit<RoleStatisticsPayload, 'role' | 'partition' | 'work' | 'queue'>]: number;
} & { work: Durations; queue: Durations };

const noDurations: Durations = { count: 0, total_ms: 0, min_ms: 0, max_ms: 0 };

export function noTotals(): RoleTotals {
  return {
    ...{ facts: 0, pending: 0, assigned: 0, running: 0, parked: 0, waiting: 0, completed: 0, failed: 0 },
    ...{ cancelled: 0, attempts_failed: 0, handed_over: 0, tokens: 0, cost_nanos: 0, unpriced: 0 },
    ...{ work: noDurations, queue: noDurations },
  };
}

/** Of parts that have nothing in common. */
export function sumOf(parts: Iterable<RoleTotals>): RoleTotals {
  const sum = noTotals();
  for (const part of parts) {
    for (const field of counted) sum[field] += part[field];
    sum.work = durationsOf(sum.work, part.work);
    sum.queue = durationsOf(sum.queue, part.queue);
  }
  return sum;
}

const counted = Object.entries(noTotals()).flatMap(([field, value]) =>
  typeof value === 'number' ? [field as Exclude<keyof RoleTotals, 'work' | 'queue'>] : [],
);

export function durationsOf(a: Durations, b: Durations): Durations {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  return {
    count: a.count + b.count,
    total_ms: a.total_ms + b.total_ms,
    min_ms: Math.min(a.min_ms, b.min_ms),
    max_ms: Math.max(a.max_ms, b.max_ms),
  };
}

const once = (ms: number): Durations => ({ count: 1, total_ms: ms, min_ms: ms, max_ms: ms });

/**
 * What a fact changes in the figures of roles: `of` gives those of a role. `assignedAt` is when the task that begins
 * was assigned; epoch ms, null: not known. A task that is a mission of its own is nobody's work: its own tasks are.
 */
export function countFact(
  before: MissionState | null,
  after: MissionState,
  fact: FactEvent,
  assignedAt: number | null,
  of: (role: string) => RoleTotals,
): void {
  if (before?.tasks !== after.tasks || before.plan !== after.plan) countTasks(before, after, of);
  if (!('task_id' in fact.payload)) return;
  const role = before === null ? null : roleOf(before, fact.payload.task_id);
  if (role === null) return;
  const totals = of(role);
  totals.facts += 1;
  switch (fact.event_type) {
    case 'task_started':
      if (assignedAt !== null)
        totals.queue = durationsOf(totals.queue, once(Math.max(0, fact.timestamp - assignedAt)));
      break;
    case 'task_completed':
      totals.work = durationsOf(totals.work, once(fact.payload.duration_ms));
      spend(totals, fact.payload.usage);
      break;
    case 'task_attempt_failed':
    case 'task_failed':
      totals.attempts_failed += 1;
      spend(totals, fact.payload.usage);
      break;
    case 'agent_handoff':
      totals.handed_over += 1;
      spend(totals, fact.payload.usage);
      break;
    default:
  }
}

function spend(totals: RoleTotals, usage: Parameters<typeof tokensOf>[0]): void {
  totals.tokens += tokensOf(usage);
  if (usage.cost_usd === null) totals.unpriced += 1;
  else totals.cost_nanos += nanosOf(usage.cost_usd);
}

/** Every task leaves the count that it was in, and comes into the one that it is in now; what has ended stays counted. */
function countTasks(
  before: MissionState | null,
  after: MissionState,
  of: (role: string) => RoleTotals,
): void {
  const unchanged = before?.plan === after.plan;
  before?.tasks.forEach((task, position) => {
    if (unchanged && after.tasks[position] === task) return;
    const spec = before.plan?.tasks[position];
    if (spec === undefined || spec.kind === 'mission' || hasEnded(task)) return;
    of(spec.role)[task.status as Open] -= 1;
  });
  after.tasks.forEach((task, position) => {
    if (unchanged && before?.tasks[position] === task) return;
    const spec = after.plan?.tasks[position];
    if (spec === undefined || spec.kind === 'mission') return;
    if (hasEnded(task) && endedBefore(before, spec.id)) return;
    of(spec.role)[task.status] += 1;
  });
}

type Open = 'pending' | 'assigned' | 'running' | 'parked' | 'waiting';

const hasEnded = ({ status }: TaskState): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';

function endedBefore(before: MissionState | null, id: string): boolean {
  const task = before?.tasks[before.plan?.index.get(id) ?? -1];
  return task !== undefined && hasEnded(task);
}

function roleOf({ plan }: MissionState, task_id: string): string | null {
  const spec = plan?.tasks[plan.index.get(task_id) ?? -1];
  return spec === undefined || spec.kind === 'mission' ? null : spec.role;
}
