import { asFailure, Failure } from '#chassis/failures.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { MissionPolicy, TaskSpec } from '#schemas/types.gen.ts';
import { cut } from './cut.ts';
import { orchestrator } from './facts.ts';
import { indexPlan, type Plan } from './plan.ts';
import { record, tasksIn, textsIn } from './task-json.ts';

/**
 * A mission without tasks begins with a plan of one task, in wave 0: the role `orchestrator` makes the plan. Its
 * result is that plan as JSON, and takes its place.
 */

/** The id of the planning task. A plan that takes its place cannot use it: late reports would be taken for its own. */
export const planningTask = 'plan';

/**
 * The id of the planning without a model, after the one that no model could do. No plan and no reaction has an id of
 * that form, and no planning anew has this number.
 */
export const fallbackTask = 'replan-0';

/** The model of a planning task that needs none: the worker's decomposer makes the plan. */
export const heuristicPlanner = 'heuristic/decomposer';

/** Whether this is a planning task that asks no model. */
export const needsNoModel = (task: { readonly kind: string; readonly model: string } | undefined): boolean =>
  task?.kind === 'plan' && task.model === heuristicPlanner;

/** Bytes. */
export const mostBrief = 64_000;
/** Notes to a plan: they have to fit beside it. */
const notes = { count: 20, each: 500 } as const;

/** The plan that a mission without tasks begins with. Throws Failure `invalid_mission`. */
export function planningPlan(brief: string, policy: MissionPolicy): Plan {
  const model = policy.options.planner === 'heuristic' ? heuristicPlanner : '';
  if (brief.trim() === '') {
    throw new Failure('invalid_mission', 'found neither a brief nor tasks, expected one of them');
  }
  const bytes = Buffer.byteLength(brief);
  if (bytes > mostBrief) {
    const message = `brief: found ${bytes} bytes, expected at most ${mostBrief}`;
    throw new Failure('invalid_mission', message);
  }
  return indexPlan([{ ...planTask(planningTask, brief, policy), model }]);
}

/** The task that makes a plan of what is described. */
export function planTask(id: string, description: string, policy: MissionPolicy): TaskSpec {
  const { task_timeout_ms: timeout_ms, max_attempts } = policy;
  return taskSpec({ id, role: orchestrator, kind: 'plan', description, timeout_ms, max_attempts });
}

/** The tasks in the result of a planning task. Throws Failure `invalid_plan` saying where and what was expected. */
export function tasksInResult(result: string): TaskSpec[] {
  const given = tasksIn(record(parse(result), 'the plan')['tasks']);
  const taken = given.findIndex((task) => task.id === planningTask);
  if (taken >= 0) {
    const expected = 'expected another id; this one is the planning';
    throw new Failure('invalid_plan', `tasks[${taken}].id: found ${planningTask}, ${expected}`);
  }
  return given;
}

/** What a planner that is no model says of its plan. Throws Failure `invalid_plan`. */
export const notesInResult = (result: string): string[] =>
  textsIn(record(parse(result), 'the plan')['notes'], 'notes')
    .slice(0, notes.count)
    .map((note) => cut(note, notes.each));

function parse(result: string): unknown {
  try {
    return JSON.parse(result);
  } catch (error) {
    const { message } = asFailure(error);
    throw new Failure('invalid_plan', `the plan is not one JSON document: ${message}`);
  }
}
