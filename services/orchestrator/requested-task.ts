import { Failure } from '#chassis/failures.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { orchestrator } from './facts.ts';
import { isTaken } from './names.ts';
import { bytesOf, checkSize, indexPlan, type Plan, planFrom } from './plan.ts';
import type { MissionState } from './state.ts';

/** Tasks that reactions ask for. They belong to no wave, and outlive the plans that are made while they run. */

/**
 * The task as it is added to the mission's plan: checked as one that a person gives, defaults filled in, in wave 0.
 * Throws Failure `invalid_plan` or `role_unknown` saying where, what was found and what was expected.
 */
export function requestedTask(state: MissionState, task: TaskSpec): TaskSpec {
  const { plan, policy, roles, undoing } = state;
  const where = `task ${JSON.stringify(task.id).slice(0, 160)}`;
  const bad = (what: string) => new Failure('invalid_plan', `${where}: ${what}`);
  if (isTaken(task.id)) throw bad('expected an id that is none of those of plans');
  if (undoing !== '') throw bad('the mission undoes what was done, and takes no more work');
  if (roles.length > 0 && task.role !== orchestrator && !roles.includes(task.role)) {
    const found = `found ${JSON.stringify(task.role).slice(0, 100)}, expected one of ${roles.join(', ')}`;
    throw new Failure('role_unknown', `${where}.role: ${found}`);
  }
  const unknown = task.needs.find((need) => plan?.index.has(need) !== true);
  if (unknown !== undefined) throw bad(`needs ${JSON.stringify(unknown)}, expected ids of tasks of the plan`);
  const lost = task.needs.find((need) => {
    const status = state.tasks[plan?.index.get(need) ?? -1]?.status;
    return !task.partial && (status === 'failed' || status === 'cancelled');
  });
  if (lost !== undefined) throw bad(`needs ${lost}, which did not complete`);
  const [checked] = planFrom([{ ...task, needs: [], wave: 0 }], policy).tasks;
  if (checked === undefined) throw bad('no task');
  const requested = { ...checked, needs: task.needs, wave: 0 };
  const tasks = [...(plan?.tasks ?? []), requested];
  checkSize(tasks, bytesOf(tasks));
  return requested;
}

/** What reactions have asked for and a new plan does not have: it goes on beside it. */
export function requestedBeside(state: MissionState, tasks: readonly TaskSpec[]): TaskSpec[] {
  const ids = new Set(tasks.map(({ id }) => id));
  return (state.plan?.tasks ?? []).flatMap((task) =>
    task.caused_by === '' || ids.has(task.id) ? [] : [{ ...task, needs: needsLeft(state, task, ids) }],
  );
}

/** The plan with other ids where one of them is that of a task that a reaction has asked for. */
export function apart(state: MissionState, plan: Plan): Plan {
  const requested = new Set(requestedBeside(state, []).map(({ id }) => id));
  if (!plan.tasks.some(({ id, caused_by }) => caused_by === '' && requested.has(id))) return plan;
  const other = (id: string) => `p.${id}`;
  return indexPlan(plan.tasks.map((task) => ({ ...task, id: other(task.id), needs: task.needs.map(other) })));
}

/** Of tasks that a new plan leaves out, only those that reactions have asked for are there to be needed. */
function needsLeft({ plan }: MissionState, { needs }: TaskSpec, ids: ReadonlySet<string>): string[] {
  const requested = (id: string) => (plan?.tasks[plan.index.get(id) ?? -1]?.caused_by ?? '') !== '';
  return needs.filter((id) => ids.has(id) || requested(id));
}
