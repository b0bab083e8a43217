import { taskSpec } from '#schemas/task-spec.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { decompose } from './decompose.ts';
import type { DraftTask } from './draft-task.ts';
import { type Plan, planFrom } from './plan.ts';
import type { MissionState } from './state.ts';
import { withTiers } from './tiers.ts';

/** Plans that follow from rules, not from a model. */

const synthesizer = 'drummer';
const executive = 'camina';

/** The plan that the heuristic decomposer makes of the brief. Throws Failure `invalid_plan`. */
export function heuristicPlan(state: MissionState): {
  readonly plan: Plan;
  readonly notes: readonly string[];
} {
  const { brief, policy, roles } = state;
  const { agents } = policy.options;
  const { strategy, tasks, notes } = decompose(brief, {
    roles: roles.map((name) => ({ name })),
    ...(agents > 0 ? { agents } : {}),
  });
  const plan = planFrom(tasks.map(specOf), policy, roles);
  const said = `planned without a model (${strategy}); what carries the tasks out needs a model of its role or a script`;
  return { plan, notes: [said, ...notes] };
}

/** The plan with synthesizers over its tasks, and an executive over these, where the mission wants them. */
export function tiered(state: MissionState, plan: Plan): Plan {
  const { policy, roles } = state;
  const knows = (role: string) => roles.length === 0 || roles.includes(role);
  if (policy.options.hierarchy !== 'tiers' || !knows(synthesizer) || !knows(executive)) return plan;
  // Work that is synthesized already has its tiers.
  if (plan.tasks.some(({ role }) => role === synthesizer || role === executive)) return plan;
  const before = new Map(plan.tasks.map((task) => [task.id, task]));
  // To the tiers a mission within the mission is work like any other.
  const workers = plan.tasks.map(({ id, role, description, needs }) => ({ id, role, description, needs }));
  const tasks = withTiers(workers, { synthesizer, executive, brief: state.brief });
  return planFrom(
    tasks.map((task): TaskSpec => before.get(task.id) ?? specOf(task)),
    policy,
    roles,
  );
}

const specOf = (task: DraftTask): TaskSpec => {
  const { id, role, description, needs, partial = false, timeout_ms = 0, compensation = null } = task;
  return taskSpec({ id, role, description, needs, partial, timeout_ms, compensation });
};
