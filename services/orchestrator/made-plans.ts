import { Failure } from '#chassis/failures.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { decompose } from './decompose.ts';
import { difference } from './difference.ts';
import type { DraftTask } from './draft-task.ts';
import { type Plan, planFrom } from './plan.ts';
import type { MissionState } from './state.ts';
import { withTiers } from './tiers.ts';

/** Plans that follow from rules, not from a model. */

const synthesizer = 'drummer';
const executive = 'camina';

/** A plan as it stands on the ledger. */
export interface WrittenPlan {
  readonly tasks: readonly TaskSpec[];
  readonly notes: readonly string[];
}

export interface MadePlan {
  readonly plan: Plan;
  /** What a person should know of how it came about. */
  readonly notes: readonly string[];
}

/**
 * The plan that the heuristic decomposer makes of the brief, with its tiers. One that was written before is taken as it
 * was, so that the decomposer may learn new words. Throws Failure `invalid_plan`.
 */
export function heuristicPlan(
  state: MissionState,
  notes: readonly string[],
  written: WrittenPlan | null,
): MadePlan {
  const { brief, policy, roles } = state;
  if (written !== null) return { plan: planFrom(written.tasks, policy, roles), notes: written.notes };
  const { agents } = policy.options;
  const {
    strategy,
    tasks,
    notes: more,
  } = decompose(brief, {
    roles: roles.map((name) => ({ name })),
    ...(agents > 0 ? { agents } : {}),
  });
  const said = `planned without a model (${strategy}); what carries the tasks out needs a model of its role or a script`;
  const made = tiered(state, planFrom(tasks.map(specOf), policy, roles), null);
  return { plan: made.plan, notes: [...notes, said, ...more, ...made.notes] };
}

/**
 * The plan with synthesizers over its tasks, and an executive over these, where the mission wants them. Where a plan
 * has no room for them it runs without, and says so. Tiers that were written before are taken as they were.
 */
export function tiered(state: MissionState, plan: Plan, written: WrittenPlan | null): MadePlan {
  const { policy, roles } = state;
  const knows = (role: string) => roles.length === 0 || roles.includes(role);
  const without = { plan, notes: [] };
  if (policy.options.hierarchy !== 'tiers' || !knows(synthesizer) || !knows(executive)) return without;
  // Work that is synthesized already has its tiers.
  if (plan.tasks.some(isTier)) return without;
  if (written !== null && extendsByTiers(plan, written)) {
    return { plan: planFrom(written.tasks, policy, roles), notes: written.notes };
  }
  // What reactions asked for is in no wave, and goes on beside the plan.
  const planned = plan.tasks.filter(({ caused_by }) => caused_by === '');
  const before = new Map(planned.map((task) => [task.id, task]));
  // To the tiers a mission within the mission is work like any other.
  const workers = planned.map(({ id, role, description, needs }) => ({ id, role, description, needs }));
  const tasks = withTiers(workers, { synthesizer, executive, brief: state.brief });
  if (tasks.length === workers.length) return without;
  try {
    const specs = tasks.map((task): TaskSpec => before.get(task.id) ?? specOf(task));
    return { plan: planFrom(specs, policy, roles), notes: [] };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { plan, notes: [`nobody brings the results together: ${error.message}`] };
  }
}

const isTier = ({ role }: TaskSpec): boolean => role === synthesizer || role === executive;

/** Whether what was written is the plan itself, and behind it tiers and nothing else. */
function extendsByTiers(plan: Plan, { tasks }: WrittenPlan): boolean {
  const planned = plan.tasks.filter(({ caused_by }) => caused_by === '');
  const count = planned.length;
  return difference(planned, tasks.slice(0, count)) === null && tasks.slice(count).every(isTier);
}

const specOf = (task: DraftTask): TaskSpec => {
  const { id, role, description, needs, partial = false, timeout_ms = 0, compensation = null } = task;
  return taskSpec({ id, role, description, needs, partial, timeout_ms, compensation });
};
