import { Failure } from '#chassis/failures.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { Compensation, Script, ScriptedCall, TaskSpec } from '#schemas/types.gen.ts';

/** Tasks that came as JSON, from a model or within a task: checked field by field, so that an error says where. */

/** The tasks of a list that came as JSON. Throws Failure `invalid_plan`. */
export const tasksIn = (value: unknown): TaskSpec[] => list(value, 'tasks').map(taskAt);

const invalid = (where: string, found: unknown, expected: string) =>
  new Failure(
    'invalid_plan',
    `${where}: found ${JSON.stringify(found)?.slice(0, 160)}, expected ${expected}`,
  );

export function record(value: unknown, where: string): Readonly<Record<string, unknown>> {
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

/** A list of texts that may be left out. Throws Failure `invalid_plan`. */
export const textsIn = (value: unknown, where: string): string[] =>
  list(value ?? [], where).map((each, at) => text(each, `${where}[${at}]`));

function count(value: unknown, where: string): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw invalid(where, value, 'a whole number');
}

const taskFields = [
  'id',
  'role',
  'description',
  'needs',
  'wave',
  'timeout_ms',
  'max_attempts',
  'script',
  'partial',
  'model',
  'mission',
  'compensation',
  'priority',
];

function taskAt(value: unknown, position: number): TaskSpec {
  const where = `tasks[${position}]`;
  const task = record(value, where);
  const unknown = Object.keys(task).find((field) => !taskFields.includes(field));
  if (unknown !== undefined) throw invalid(where, unknown, `only ${taskFields.join(', ')}`);
  return taskSpec({
    id: text(task['id'], `${where}.id`),
    role: text(task['role'], `${where}.role`),
    description: text(task['description'], `${where}.description`, ''),
    needs: list(task['needs'] ?? [], `${where}.needs`).map((need, at) => text(need, `${where}.needs[${at}]`)),
    wave: count(task['wave'], `${where}.wave`),
    timeout_ms: count(task['timeout_ms'], `${where}.timeout_ms`),
    max_attempts: count(task['max_attempts'], `${where}.max_attempts`),
    script: scriptOf(task['script'] ?? null, `${where}.script`),
    partial: flag(task['partial'], `${where}.partial`),
    model: text(task['model'], `${where}.model`, ''),
    mission: missionText(task['mission'], `${where}.mission`),
    compensation: compensationOf(task['compensation'] ?? null, `${where}.compensation`),
    priority: text(task['priority'], `${where}.priority`, ''),
  });
}

function flag(value: unknown, where: string): boolean {
  if (value === undefined) return false;
  if (typeof value === 'boolean') return value;
  throw invalid(where, value, 'true or false');
}

/** A mission within a task travels as text: its tasks may hold missions again. */
function missionText(value: unknown, where: string): string {
  if (value === undefined || typeof value === 'string') return value ?? '';
  return JSON.stringify(record(value, where));
}

function compensationOf(value: unknown, where: string): Compensation | null {
  if (value === null) return null;
  if (typeof value === 'string') return value === '' ? null : { description: value, script: null };
  const { description, script } = record(value, where);
  return {
    description: text(description, `${where}.description`),
    script: scriptOf(script ?? null, `${where}.script`),
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
