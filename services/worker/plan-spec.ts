import type { Role } from '#roles/load.ts';
import type { PayloadOf } from '#schemas/types.gen.ts';
import type { AnswerSpec } from './answer-spec.ts';
import { answerSchema, parseAnswer } from './models/structured.ts';
import { checkPlan, planAnswer } from './plan-answer.ts';

/** A plan is one fact of the ledger, and a record has 256 KiB at the most. */
const mostBytes = 150_000;
const mostTasks = 200;

const schema = answerSchema('plan', planAnswer);

/** What the answer to a planning task has to be. */
export function planSpec(assignment: Pick<PayloadOf<'task_assigned'>, 'roles' | 'needs'>): AnswerSpec {
  const done = assignment.needs.map(({ task_id }) => task_id);
  // A task for the orchestrator is a mission of its own.
  const limits = { roles: [...assignment.roles, 'orchestrator'], mostTasks, mostBytes, done };
  return {
    schema,
    problems(text) {
      const parsed = parseAnswer(text, planAnswer);
      return parsed.ok ? checkPlan(parsed.value, limits) : parsed.problems;
    },
    value(text) {
      const parsed = parseAnswer(text, planAnswer);
      return JSON.stringify(parsed.ok ? parsed.value : null);
    },
  };
}

/** The end of a planner's prompt: whom it can give work to. */
export function rolesForPlanner(names: readonly string[], roles: ReadonlyMap<string, Role>): string {
  const lines = names.map((name) => {
    const description = roles.get(name)?.description;
    return description === undefined ? `- ${name}` : `- ${name}: ${description}`;
  });
  return `## The roles that exist\n\n${lines.join('\n')}`;
}
