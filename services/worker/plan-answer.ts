/** What a planner may answer, and all that is wrong with an answer, in words that a model can mend it by. */
import { z } from 'zod';
import { asFailure } from '#chassis/failures.ts';
import { planFrom } from '#orchestrator/plan.ts';
import { planningTask } from '#orchestrator/planning.ts';
import { bounds, defaultPolicy } from '#orchestrator/policy.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { RESULT_LIMIT } from './result.ts';

const { least, most } = bounds.task_timeout_ms;

const answeredTask = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, {
      error: 'expected 1 to 128 letters, digits, ".", "_" and "-", the first a letter or digit',
    })
    .describe('Unique in the plan; letters, digits, ".", "_" and "-".'),
  role: z.string().min(1, { error: 'expected the name of a role' }).describe('One of the roles that exist.'),
  description: z
    .string()
    .refine((text) => text.trim() !== '', { error: 'found no text, expected what the agent has to do' })
    .describe('All that the agent is told: what to do, what for, and how anybody can tell that it is done.'),
  needs: z.array(z.string()).default([]).describe('Ids of the tasks whose results it uses.'),
  timeout_ms: z
    .int()
    .min(least, { error: `expected at least ${least}` })
    .max(most, { error: `expected at most ${most}` })
    .optional()
    .describe('Milliseconds of one attempt. Left out: the usual time.'),
  partial: z.boolean().optional().describe('It runs also when some of its needs have failed.'),
  compensation: z
    .strictObject({
      description: z
        .string()
        .refine((text) => text.trim() !== '', { error: 'found no text, expected how to undo the task' }),
    })
    .nullable()
    .optional()
    .describe('How to undo what it did outside of the workspace.'),
});

/** The answer of a planner; the limit of tasks is that of a plan. */
export const planAnswer = z.strictObject({
  tasks: z.array(answeredTask).min(1, { error: 'found none, expected at least one task' }).max(2000),
});
export type PlanAnswer = z.output<typeof planAnswer>;

export interface PlanLimits {
  /** Names of the roles that may be given tasks. */
  readonly roles: Iterable<string>;
  readonly mostTasks: number;
  /** Tasks of an earlier plan that are completed, and can be needed. */
  readonly done?: Iterable<string>;
  /** Bytes of the plan as JSON. Default: those of a task's result, which it travels in. */
  readonly mostBytes?: number;
}

/** All that is wrong with an answer, each as `where: found …, expected …`; none where it is a plan. */
export function checkPlan(
  value: unknown,
  { roles, mostTasks, done = [], mostBytes = RESULT_LIMIT }: PlanLimits,
): string[] {
  const parsed = planAnswer.safeParse(value);
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => wordsOf(issue, value));
  const tasks = tasksIn(value);
  const bytes = Buffer.byteLength(JSON.stringify(value) ?? '');
  if (bytes > mostBytes)
    problems.push(
      `the plan: found ${bytes} bytes of JSON, expected at most ${mostBytes}; shorten the descriptions`,
    );
  if (tasks.length > mostTasks)
    problems.push(`tasks: found ${tasks.length}, expected at most ${mostTasks}; make several into one`);
  problems.push(
    ...problemsOfNames(tasks, [...new Set(roles)].sort()),
    ...problemsOfNeeds(tasks, new Set(done)),
    ...cyclesIn(tasks),
  );
  return [...new Set(problems)];
}

/** What can be told of a task that may be wrong elsewhere. */
interface Told {
  readonly at: number;
  readonly id: string | null;
  readonly role: string | null;
  readonly needs: readonly string[];
}

function tasksIn(value: unknown): Told[] {
  const tasks = fieldOf(value, 'tasks');
  if (!Array.isArray(tasks)) return [];
  return tasks.map((task: unknown, at) => {
    const [id, role, needs] = [fieldOf(task, 'id'), fieldOf(task, 'role'), fieldOf(task, 'needs')];
    return {
      at,
      id: typeof id === 'string' ? id : null,
      role: typeof role === 'string' ? role : null,
      needs: Array.isArray(needs) ? needs.filter((need) => typeof need === 'string') : [],
    };
  });
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}

function* problemsOfNames(tasks: readonly Told[], roles: readonly string[]): Iterable<string> {
  const first = new Map<string, number>();
  for (const { at, id, role } of tasks) {
    if (id === planningTask)
      yield `tasks[${at}].id: found "${planningTask}", which is the planning itself; expected another id`;
    if (id !== null) {
      const other = first.get(id);
      if (other === undefined) first.set(id, at);
      else yield `tasks[${at}].id: found ${show(id)} again, as in tasks[${other}]; expected unique ids`;
    }
    if (role !== null && role !== '' && !roles.includes(role))
      yield `tasks[${at}].role of ${show(id)}: found ${show(role)}, expected one of ${roles.join(', ')}`;
  }
}

function* problemsOfNeeds(tasks: readonly Told[], done: ReadonlySet<string>): Iterable<string> {
  const ids = new Set<string | null>([...tasks.map(({ id }) => id), ...done]);
  for (const { at, id, needs } of tasks) {
    const where = `tasks[${at}].needs of ${show(id)}`;
    for (const [position, need] of needs.entries()) {
      if (need === id) yield `${where}: found itself, expected other tasks`;
      else if (!ids.has(need)) yield `${where}: found ${show(need)}, expected the id of a task of this plan`;
      else if (needs.indexOf(need) < position)
        yield `${where}: found ${show(need)} twice, expected each once`;
    }
  }
}

/**
 * What `planFrom` finds once everything else that is wrong is put aside: cycles, one after the other, each opened to
 * find the next, and a plan that is too large.
 */
function cyclesIn(tasks: readonly Told[]): string[] {
  const ids = new Set(tasks.map(({ id }) => id));
  const specs = new Map<string, TaskSpec>();
  for (const { id, needs } of tasks) {
    if (id === null || !answeredTask.shape.id.safeParse(id).success || specs.has(id)) continue;
    const known = [...new Set(needs)].filter((need) => need !== id && ids.has(need));
    specs.set(id, specOf(id, known));
  }
  // An id that no plan takes is no task here, and nothing needs it.
  for (const [id, spec] of specs)
    specs.set(id, { ...spec, needs: spec.needs.filter((need) => specs.has(need)) });
  const problems: string[] = [];
  while (specs.size > 0 && problems.length < mostCycles) {
    try {
      planFrom([...specs.values()], defaultPolicy);
      break;
    } catch (error) {
      const { message } = asFailure(error);
      problems.push(message);
      const [, last = '', next = ''] = /cycle of needs: (?:.* → )?(\S+) → (\S+)$/.exec(message) ?? [];
      const spec = specs.get(last);
      if (!spec?.needs.includes(next)) break;
      specs.set(last, { ...spec, needs: spec.needs.filter((need) => need !== next) });
    }
  }
  return problems;
}

const mostCycles = 10;

const specOf = (id: string, needs: readonly string[]): TaskSpec => taskSpec({ id, role: 'any', needs });

const show = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 160);

const names: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function wordsOf(issue: z.core.$ZodIssue, value: unknown): string {
  const where = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  const at = where.replace(/^\./, '') || 'the plan';
  let inner: unknown = value;
  for (const part of issue.path) inner = fieldOf(inner, String(part));
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.path.length === 0 ? planAnswer : answeredTask;
      const fields = issue.path.at(-1) === 'compensation' ? ['description'] : Object.keys(known.shape);
      return `${at}: found ${issue.keys.map(show).join(', ')}, expected only ${fields.join(', ')}`;
    }
    case 'invalid_type':
      return `${at}: found ${show(inner)}, expected ${names[issue.expected] ?? issue.expected}`;
    default:
      return issue.message.startsWith('found')
        ? `${at}: ${issue.message}`
        : `${at}: found ${show(inner)}, ${issue.message}`;
  }
}
