import type { Amounts, TaskSpec, Usage } from '#schemas/types.gen.ts';
import { addUsage, nanosOf, tokensOf, usdOf } from '#schemas/usage.ts';
import { needsNoModel } from './planning.ts';
import type { MissionState } from './state.ts';

/**
 * Budgets. What an attempt may use up is reserved when its task is assigned, and settled when the attempt ends; the
 * worker never begins a call that could take it beyond its reservation. So what is spent and what is reserved never
 * come to more than the budget together, however many agents work at once.
 */

type Measure = keyof Amounts;
const measures: readonly Measure[] = ['tokens', 'calls', 'cost_nanos', 'time_ms'];

/** A mission that says nothing reserves this part of its budget for an attempt. */
const shareOfAttempt = 10;

const units: Readonly<Record<Measure, (amount: number) => string>> = {
  tokens: (amount) => `${amount} tokens`,
  calls: (amount) => `${amount} calls`,
  cost_nanos: (amount) => `$${usdOf(amount)}`,
  time_ms: (amount) => `${amount} ms of work`,
};

export type Reservation =
  /** Null: nothing limits the attempt. */
  { readonly fits: true; readonly amounts: Amounts | null } | { readonly fits: false; readonly why: string };

/** What may be reserved for the next attempt at the task in this position, and whether by the cheaper model. */
export function reservationFor(state: MissionState, position: number, cheaper: boolean): Reservation {
  const { budget, per_task } = state.policy.options;
  const spec = state.plan?.tasks[position];
  const own = spec?.budget ?? null;
  if (budget === null && per_task === null && own === null) return { fits: true, amounts: null };
  const free = left(state);
  const amounts: Record<Measure, number> = { tokens: -1, calls: -1, cost_nanos: -1, time_ms: -1 };
  for (const measure of measures) {
    const whole = budget?.[measure] ?? -1;
    const callsNobody = needsNoModel(spec) && measure !== 'time_ms';
    const asked = callsNobody ? 0 : (given(own, measure) ?? given(per_task, measure));
    if (whole < 0) {
      amounts[measure] = asked ?? -1;
      continue;
    }
    const wanted = asked ?? Math.max(1, Math.ceil(whole / shareOfAttempt));
    const room = Math.max(0, free?.[measure] ?? 0);
    if (wanted <= room) amounts[measure] = wanted;
    // The cheaper model makes do with what is left, once nobody holds money of which some may come back.
    else if (measure === 'cost_nanos' && cheaper && !holds(state, measure)) amounts[measure] = room;
    else {
      const say = units[measure];
      const spent = say(whole * (1 + state.grants));
      return {
        fits: false,
        why: `an attempt reserves ${say(wanted)}, and of ${spent} ${say(room)} are left`,
      };
    }
  }
  return { fits: true, amounts };
}

/** Of the budget, what is neither spent nor reserved; it can be below zero only when calls cost more than they said. */
export function left(state: MissionState): Amounts | null {
  const { budget } = state.policy.options;
  if (budget === null) return null;
  const spent = amountsOf(state.spent, state.spent_ms);
  const rest: Record<Measure, number> = { tokens: -1, calls: -1, cost_nanos: -1, time_ms: -1 };
  for (const measure of measures) {
    if (budget[measure] < 0) continue;
    let free = budget[measure] * (1 + state.grants) - spent[measure];
    for (const { reserved } of state.tasks) free -= Math.max(0, reserved?.[measure] ?? 0);
    rest[measure] = free;
  }
  return rest;
}

const holds = (state: MissionState, measure: Measure): boolean =>
  state.tasks.some(({ reserved }) => (reserved?.[measure] ?? 0) > 0);

/** Whether an attempt still holds a reservation, so that some of it may come back. */
export const reserves = (state: MissionState): boolean =>
  state.tasks.some(({ reserved }) => reserved !== null);

export const amountsOf = (usage: Usage, time_ms: number): Amounts => ({
  tokens: tokensOf(usage),
  calls: usage.calls,
  cost_nanos: usage.cost_usd === null ? 0 : nanosOf(usage.cost_usd),
  time_ms,
});

/**
 * What is booked for an attempt that nobody has accounted for: all that was reserved for it, as it may have used that
 * up. Without a reservation nothing is known, and nothing is booked.
 */
export function unaccounted(reserved: Amounts | null): {
  readonly usage: Usage;
  readonly duration_ms: number;
} {
  const of = (measure: Measure) => Math.max(0, reserved?.[measure] ?? 0);
  const usage: Usage = {
    input_tokens: of('tokens'),
    output_tokens: 0,
    cache_read_tokens: 0,
    cache_write_tokens: 0,
    cost_usd: usdOf(of('cost_nanos')),
    calls: of('calls'),
  };
  return { usage, duration_ms: of('time_ms') };
}

/** How long an attempt may take (ms): as its task says, and no longer than the time that is reserved for it. */
export function timeOf({ timeout_ms }: Pick<TaskSpec, 'timeout_ms'>, reserved: Amounts | null): number {
  const within = reserved === null || reserved.time_ms < 0 ? timeout_ms : reserved.time_ms;
  return Math.max(1, Math.min(timeout_ms, within));
}

/**
 * The books after the end of the attempt at the task in this position, at a time (epoch ms). What its report leaves
 * open is booked in full: money of an unknown amount, where the mission limits money, and the time of its earlier
 * leases, where the mission limits time.
 */
export function booked(
  state: MissionState,
  position: number,
  { usage, duration_ms, at }: { readonly usage: Usage; readonly duration_ms: number; readonly at: number },
): Pick<MissionState, 'spent' | 'spent_ms'> {
  const { budget } = state.policy.options;
  const task = state.tasks[position];
  const spec = state.plan?.tasks[position];
  const reserved = task?.reserved ?? null;
  const unknown = usage.cost_usd === null && (budget?.cost_nanos ?? -1) >= 0;
  const known = unknown ? { ...usage, cost_usd: usdOf(Math.max(0, reserved?.cost_nanos ?? 0)) } : usage;
  let worked = duration_ms;
  if (task !== undefined && spec !== undefined && task.lease > 1 && (reserved?.time_ms ?? -1) >= 0) {
    // A report knows of its own lease only. The clock of the attempt has run through all of them.
    const left = task.timeout_at > 0 ? task.timeout_at - at : 0;
    if (task.started_at > 0) worked = Math.max(worked, timeOf(spec, reserved) - Math.max(0, left));
  }
  return { spent: addUsage(state.spent, known), spent_ms: state.spent_ms + worked };
}

/** What is spent when nobody accounts for the attempts that hold a reservation. */
export const spentInFull = ({ spent, tasks }: MissionState): Usage =>
  tasks.reduce((sum, { reserved }) => addUsage(sum, unaccounted(reserved).usage), spent);

function given(amounts: Amounts | null, measure: Measure): number | null {
  const amount = amounts?.[measure] ?? -1;
  return amount < 0 ? null : amount;
}
