import { Failure } from '#chassis/failures.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import type { DraftTask } from './draft-task.ts';
import { type Plan, planFrom } from './plan.ts';
import type { MissionState } from './state.ts';
import { withTiers } from './tiers.ts';

/** The tiers over a plan. What they are follows from the rules of the mission: a change to them is a new version. */

const synthesizer = 'drummer';
const executive = 'camina';

export interface MadePlan {
  readonly plan: Plan;
  /** What a person should know of how it came about. */
  readonly notes: readonly string[];
}

/** Whether the mission wants tiers over this plan, and has the roles for them. */
export function wantsTiers({ policy, roles }: MissionState, plan: Plan): boolean {
  const knows = (role: string) => roles.length === 0 || roles.includes(role);
  if (policy.options.hierarchy !== 'tiers' || !knows(synthesizer) || !knows(executive)) return false;
  // Work that is synthesized already has its tiers.
  return !plan.tasks.some(isTier);
}

/**
 * The plan with synthesizers over its tasks, and an executive over these, where the mission wants them. Where a plan
 * has no room for them it runs without, and says so.
 */
export function tiered(state: MissionState, plan: Plan): MadePlan {
  const without = { plan, notes: [] };
  if (!wantsTiers(state, plan)) return without;
  // What reactions asked for is in no wave, and goes on beside the plan.
  const planned = plan.tasks.filter(({ caused_by }) => caused_by === '');
  const before = new Map(planned.map((task) => [task.id, task]));
  // To the tiers a mission within the mission is work like any other.
  const workers = planned.map(({ id, role, description, needs }) => ({ id, role, description, needs }));
  const tasks = withTiers(workers, { synthesizer, executive, brief: state.brief });
  if (tasks.length === workers.length) return without;
  try {
    const specs = tasks.map((task): TaskSpec => before.get(task.id) ?? specOf(task));
    return { plan: planFrom(specs, state.policy, state.roles), notes: [] };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { plan, notes: [`nobody brings the results together: ${error.message}`] };
  }
}

export const isTier = ({ role }: TaskSpec): boolean => role === synthesizer || role === executive;

export const specOf = (task: DraftTask): TaskSpec => {
  const { id, role, description, needs, partial = false, timeout_ms = 0, compensation = null } = task;
  return taskSpec({ id, role, description, needs, partial, timeout_ms, compensation });
};
