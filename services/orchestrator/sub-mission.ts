import { asFailure, Failure } from '#chassis/failures.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { tasksIn } from './task-json.ts';

/** What a task that is a mission of its own asks for. */
export interface SubMission {
  readonly name: string;
  readonly brief: string;
  readonly tasks: readonly TaskSpec[];
  /** Empty: as the mission above. */
  readonly on_failure: string;
  /** Empty: tiers where it gives no tasks. */
  readonly hierarchy: string;
}

const fields = ['name', 'brief', 'tasks', 'on_failure', 'hierarchy'];

/** The mission that a task is. Throws Failure `invalid_plan` naming the task. */
export function subMission({
  id,
  description,
  mission,
}: Pick<TaskSpec, 'id' | 'description' | 'mission'>): SubMission {
  const where = `the mission of task ${id}`;
  const bad = (what: string) => new Failure('invalid_plan', `${where}: ${what}`);
  let given: Readonly<Record<string, unknown>> = {};
  if (mission !== '') {
    let value: unknown;
    try {
      value = JSON.parse(mission);
    } catch (error) {
      throw bad(`found no JSON: ${asFailure(error).message}`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('expected an object');
    given = { ...value };
  }
  const unknown = Object.keys(given).find((field) => !fields.includes(field));
  if (unknown !== undefined)
    throw bad(`found ${JSON.stringify(unknown)}, expected only ${fields.join(', ')}`);
  const text = (field: string, fallback: string): string => {
    const value = given[field] ?? fallback;
    if (typeof value === 'string') return value;
    throw bad(`${field}: found ${JSON.stringify(value)?.slice(0, 100)}, expected a text`);
  };
  try {
    const tasks = tasksIn(given['tasks'] ?? []);
    const brief = text('brief', description);
    if (tasks.length === 0 && brief.trim() === '') throw bad('found neither a brief nor tasks');
    return {
      name: text('name', id),
      brief,
      tasks,
      on_failure: text('on_failure', ''),
      hierarchy: text('hierarchy', ''),
    };
  } catch (error) {
    if (error instanceof Failure && !error.message.startsWith(where)) throw bad(error.message);
    throw error;
  }
}
