import type { TaskSpec } from '#schemas/types.gen.ts';
import { decompose } from './decompose.ts';
import { difference } from './difference.ts';
import { isTier, type MadePlan, specOf, tiered, wantsTiers } from './made-plans.ts';
import { type Plan, planFrom } from './plan.ts';
import type { MissionState } from './state.ts';
import type { Turn } from './turn.ts';

/**
 * What only missions of rules 0 have: `decide` itself makes the plans that need no model, and `verify` takes a plan that
 * the decomposer or the tiers would make otherwise now as it was written. From rules 1 on a plan is an answer or a rule.
 */

/** A plan as it stands on the ledger. */
export interface WrittenPlan {
  readonly tasks: readonly TaskSpec[];
  readonly notes: readonly string[];
}

/** The plan that the decomposer makes of the brief, with its tiers. Throws Failure `invalid_plan`. */
export function planWithoutModel(turn: Turn, notes: readonly string[]): MadePlan {
  const { brief, policy, roles } = turn.state;
  const written = writtenFor(turn);
  if (written !== null) return { plan: planFrom(written.tasks, policy, roles), notes: written.notes };
  const { agents } = policy.options;
  const about = { roles: roles.map((name) => ({ name })), ...(agents > 0 ? { agents } : {}) };
  const { strategy, tasks, notes: more } = decompose(brief, about);
  const said = `planned without a model (${strategy}); what carries the tasks out needs a model of its role or a script`;
  const made = tiered(turn.state, planFrom(tasks.map(specOf), policy, roles));
  return { plan: made.plan, notes: [...notes, said, ...more, ...made.notes] };
}

/** The plan with the tiers that were written over it; null: there is nothing to be taken so. */
export function tiersAsWritten(turn: Turn, plan: Plan): MadePlan | null {
  const { state } = turn;
  const written = writtenFor(turn);
  if (written === null || !wantsTiers(state, plan)) return null;
  const planned = plan.tasks.filter(({ caused_by }) => caused_by === '');
  const isSame = difference(planned, written.tasks.slice(0, planned.length)) === null;
  if (!isSame || !written.tasks.slice(planned.length).every(isTier)) return null;
  return { plan: planFrom(written.tasks, state.policy, state.roles), notes: written.notes };
}

/** What reactions had asked for by then is known from the ledger, and stands beside any plan. */
function writtenFor({ state, written }: Turn): WrittenPlan | null {
  if (state.rules !== 0 || written === null) return null;
  return { tasks: written.tasks.filter(({ caused_by }) => caused_by === ''), notes: written.notes };
}

/** Whether `verify` takes a plan of this mission as it was written, where it would be made otherwise now. */
export const takesAsWritten = (state: MissionState | null): boolean => state?.rules === 0;
