import { asFailure, Failure } from '#chassis/failures.ts';
import type { MissionPolicy, Script, ScriptedCall, TaskSpec } from '#schemas/types.gen.ts';
import { orchestrator } from './facts.ts';
import { indexPlan, type Plan, planFrom } from './plan.ts';

/**
 * A mission without tasks begins with a plan of one task, in wave 0: the role `orchestrator` makes the plan. Its
 * result is that plan as JSON, and takes its place.
 */

/** The id of the planning task. A plan that takes its place cannot use it: late reports would be taken for its own. */
export const planningTask = 'plan';

const mostBrief = 64_000;
/** Longer results are cut, and half a plan is none. */
const mostResult = 8 * 1024;

const instructions = `

Answer with the plan of this mission, as one JSON document and nothing else:
{"tasks": [{"id": "unique-id", "role": "name of the role", "description": "what is to be done", "needs": ["ids of the tasks that must be completed first"]}]}
Tasks that do not need each other run side by side. Each agent sees its description and the results of the tasks it needs, nothing else. No task may have the id "${planningTask}". Keep the whole answer under 8 KiB.`;

/** The plan that a mission without tasks begins with. Throws Failure `invalid_mission`. */
export function planningPlan(brief: string, policy: MissionPolicy): Plan {
  if (brief.trim() === '') {
    throw new Failure('invalid_mission', 'found neither a brief nor tasks, expected one of them');
  }
  if (brief.length > mostBrief) {
    const message = `brief: found ${brief.length} characters, expected at most ${mostBrief}`;
    throw new Failure('invalid_mission', message);
  }
  const task: TaskSpec = {
    id: planningTask,
    role: orchestrator,
    description: brief + instructions,
    needs: [],
    wave: 0,
    timeout_ms: policy.task_timeout_ms,
    max_attempts: policy.max_attempts,
    script: null,
  };
  return indexPlan([task]);
}

/** The plan in the result of a planning task. Throws Failure `invalid_plan` saying where and what was expected. */
export function planInResult(result: string, policy: MissionPolicy): Plan {
  const document = record(parse(result), 'the plan');
  const given = list(document['tasks'], 'tasks').map(taskAt);
  const taken = given.findIndex((task) => task.id === planningTask);
  if (taken >= 0) throw invalid(`tasks[${taken}].id`, planningTask, 'another id; this one is the planning');
  return planFrom(given, policy);
}

const invalid = (where: string, found: unknown, expected: string) =>
  new Failure(
    'invalid_plan',
    `${where}: found ${JSON.stringify(found)?.slice(0, 160)}, expected ${expected}`,
  );

function parse(result: string): unknown {
  try {
    return JSON.parse(result);
  } catch (error) {
    const cut = Buffer.byteLength(result) >= mostResult - 16 ? '; it may have been cut at 8 KiB' : '';
    const { message } = asFailure(error);
    throw new Failure('invalid_plan', `the plan is not one JSON document: ${message}${cut}`);
  }
}

function record(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw invalid(where, value, 'an object');
}

function list(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(where, value, 'a list');
}

function text(value: unknown, where: string, fallback?: string): string {
  if (typeof value === 'string') return value;
  if (value === undefined && fallback !== undefined) return fallback;
  throw invalid(where, value, 'a text');
}

function count(value: unknown, where: string): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw invalid(where, value, 'a whole number');
}

const taskFields = ['id', 'role', 'description', 'needs', 'wave', 'timeout_ms', 'max_attempts', 'script'];

function taskAt(value: unknown, position: number): TaskSpec {
  const where = `tasks[${position}]`;
  const task = record(value, where);
  const unknown = Object.keys(task).find((field) => !taskFields.includes(field));
  if (unknown !== undefined) throw invalid(where, unknown, `only ${taskFields.join(', ')}`);
  return {
    id: text(task['id'], `${where}.id`),
    role: text(task['role'], `${where}.role`),
    description: text(task['description'], `${where}.description`, ''),
    needs: list(task['needs'] ?? [], `${where}.needs`).map((need, at) => text(need, `${where}.needs[${at}]`)),
    wave: count(task['wave'], `${where}.wave`),
    timeout_ms: count(task['timeout_ms'], `${where}.timeout_ms`),
    max_attempts: count(task['max_attempts'], `${where}.max_attempts`),
    script: scriptOf(task['script'] ?? null, `${where}.script`),
  };
}

function scriptOf(value: unknown, where: string): Script | null {
  if (value === null) return null;
  const script = record(value, where);
  const calls = list(script['calls'] ?? [], `${where}.calls`).map((call, position): ScriptedCall => {
    const at = `${where}.calls[${position}]`;
    const { tool, arguments: given, allow_failure: allowed = false } = record(call, at);
    if (typeof allowed !== 'boolean') throw invalid(`${at}.allow_failure`, allowed, 'true or false');
    const asText = typeof given === 'string' ? given : JSON.stringify(record(given ?? {}, `${at}.arguments`));
    return { tool: text(tool, `${at}.tool`), arguments: asText, allow_failure: allowed };
  });
  return { calls, answer: text(script['answer'], `${where}.answer`, '') };
}
