import { Failure } from '#chassis/failures.ts';
import type { MissionPolicy, Script, TaskSpec } from '#schemas/types.gen.ts';
import { type Bounds, bounds, limit } from './bounds.ts';
import { orchestrator } from './facts.ts';
import { isId, isRole, modelPattern } from './names.ts';
import { isPriority } from './priority.ts';
import { subMission } from './sub-mission.ts';

/** A valid plan with its defaults resolved. All but `tasks` is derived from it, and never written down. */
export interface Plan {
  readonly tasks: readonly TaskSpec[];
  /** Position of a task by its id. */
  readonly index: ReadonlyMap<string, number>;
  /** Positions of the tasks that the task at this position needs. */
  readonly needs: readonly (readonly number[])[];
  /** Positions of the tasks that need the task at this position. */
  readonly dependents: readonly (readonly number[])[];
  /** Positions of the tasks of each wave. Waves count from 1; the planning and what reactions ask for are in wave 0. */
  readonly waves: readonly (readonly number[])[];
}

export const mostTasks = 2000;
export const mostNeeds = 20_000;
/** A plan travels in one record, and a record has at most 256 KiB; its envelope and its notes need room, too. */
export const mostBytes = 240_000;

const invalid = (where: string, what: string) => new Failure('invalid_plan', `${where}: ${what}`);
const show = (value: unknown) => JSON.stringify(value)?.slice(0, 160);

/**
 * A plan of the tasks that somebody gave: waves derived, defaults of the policy filled in.
 * With `roles`, a task of any other is refused.
 * Throws Failure `invalid_plan` saying where, what was found and what was expected.
 */
export function planFrom(
  given: readonly TaskSpec[],
  policy: MissionPolicy,
  roles: readonly string[] = [],
): Plan {
  checkSize(given, bytesOf(given));
  const index = new Map<string, number>();
  given.forEach((task, position) => {
    checkNames(task, position, roles);
    const first = index.get(task.id);
    if (first !== undefined) {
      throw invalid(
        `tasks[${position}].id`,
        `found ${show(task.id)} again, as in tasks[${first}]; expected unique ids`,
      );
    }
    index.set(task.id, position);
  });
  const needs = given.map((task, position) => needsOf(task, position, index));
  const waves = wavesOf(given, needs);
  return indexPlan(
    given.map((task, position) => {
      const take = (field: 'timeout_ms' | 'max_attempts', fallback: number, within: Bounds) => {
        const value = limit(task[field], fallback, within);
        if (typeof value === 'string') throw invalid(`tasks[${position}].${field} of ${task.id}`, value);
        return value;
      };
      // The orchestrator executes nothing: what is given to it is a mission of its own.
      const kind = task.kind === '' && task.role === orchestrator ? 'mission' : task.kind;
      checkKind(task, kind, position);
      const longest = kind === 'mission' ? bounds.task_timeout_ms.most : policy.task_timeout_ms;
      return {
        ...task,
        kind,
        wave: waves[position] ?? 0,
        timeout_ms: take('timeout_ms', longest, bounds.task_timeout_ms),
        max_attempts: take('max_attempts', policy.max_attempts, bounds.max_attempts),
      };
    }),
  );
}

/** The tables of a plan whose tasks are known to be valid: those of a `plan_created`, or of the changelog. */
export function indexPlan(tasks: readonly TaskSpec[]): Plan {
  const index = new Map(tasks.map((task, position) => [task.id, position]));
  const dependents: number[][] = tasks.map(() => []);
  // Wave 0 is always there: nothing is in it but the planning, and what reactions ask for.
  const waves: number[][] = [[]];
  const needs = tasks.map((task, position) => {
    for (let wave = waves.length; wave <= task.wave; wave += 1) waves.push([]);
    waves[task.wave]?.push(position);
    return task.needs.map((id) => {
      const need = index.get(id);
      if (need === undefined) throw invalid(`tasks[${position}].needs of ${task.id}`, `no task ${show(id)}`);
      dependents[need]?.push(position);
      return need;
    });
  });
  return { tasks, index, needs, dependents, waves };
}

/** Throws Failure `invalid_plan` for tasks that are none or too many, and for more than a record has room for. */
export function checkSize(tasks: readonly TaskSpec[], bytes: number): void {
  if (tasks.length < 1 || tasks.length > mostTasks) {
    throw invalid('tasks', `found ${tasks.length}, expected from 1 to ${mostTasks}`);
  }
  const needs = tasks.reduce((sum, task) => sum + task.needs.length, 0);
  if (needs > mostNeeds) throw invalid('tasks', `found ${needs} needs in all, expected at most ${mostNeeds}`);
  if (bytes > mostBytes) {
    const what = `found ${bytes} bytes in all, expected at most ${mostBytes}`;
    throw invalid('tasks', `${what}; large content belongs into the workspace`);
  }
}

/** What a record needs beside the text, at the most: lengths, numbers, marks. */
const besides = { task: 40, budget: 40, script: 8, call: 8, need: 2 } as const;

/** Bytes that a record needs for these tasks, at the most. */
export function bytesOf(tasks: readonly TaskSpec[]): number {
  let bytes = 0;
  const add = (fixed: number, ...texts: readonly string[]) => {
    bytes += texts.reduce((sum, text) => sum + Buffer.byteLength(text), fixed);
  };
  const addScript = (script: Script | null) => {
    if (script === null) return;
    add(besides.script, script.answer);
    for (const call of script.calls) add(besides.call, call.tool, call.arguments);
  };
  for (const task of tasks) {
    const { id, role, description, mission, model, compensation } = task;
    add(besides.task, id, role, description, mission, model, task.kind === '' ? 'mission' : task.kind);
    add(0, task.priority, task.context, task.caused_by, task.compensates);
    for (const need of task.needs) add(besides.need, need);
    addScript(task.script);
    // What undoes a task is in the plan, too, when it comes to that.
    if (compensation !== null)
      add(
        besides.script + besides.task,
        compensation.description,
        id,
        id,
        id,
        role,
        model,
        'undo-compensation',
      );
    addScript(compensation?.script ?? null);
    if (task.budget !== null) add(besides.budget);
  }
  return bytes;
}

function checkKind(task: TaskSpec, kind: string, position: number): void {
  const where = `tasks[${position}] of ${task.id}`;
  if (kind !== '' && kind !== 'mission') throw invalid(`${where}.kind`, `found ${show(kind)}, expected none`);
  if ((kind === 'mission') !== (task.role === orchestrator)) {
    throw invalid(
      where,
      `found kind ${show(kind)} with role ${task.role}, expected role ${orchestrator} for a mission`,
    );
  }
  if (kind === 'mission') subMission(task);
  else if (task.mission !== '')
    throw invalid(`${where}.mission`, `found one, expected the role ${orchestrator}`);
  if (task.model !== '' && !modelPattern.test(task.model)) {
    throw invalid(`${where}.model`, `found ${show(task.model)}, expected provider/name`);
  }
}

function checkNames(task: TaskSpec, position: number, roles: readonly string[]): void {
  if (!isId(task.id)) {
    const expected = 'expected 1 to 128 letters, digits, dots, dashes or underscores';
    throw invalid(
      `tasks[${position}].id`,
      `found ${show(task.id)}, ${expected}, the first a letter or digit`,
    );
  }
  if (!isRole(task.role)) {
    const expected = 'expected the name of a role, like cert_agent';
    throw invalid(`tasks[${position}].role of ${task.id}`, `found ${show(task.role)}, ${expected}`);
  }
  if (roles.length > 0 && task.role !== orchestrator && !roles.includes(task.role)) {
    const expected = `expected one of ${roles.join(', ')}`;
    throw invalid(`tasks[${position}].role of ${task.id}`, `found ${show(task.role)}, ${expected}`);
  }
  if (task.priority !== '' && !isPriority(task.priority)) {
    const expected = 'expected high, normal, low or nothing';
    throw invalid(`tasks[${position}].priority of ${task.id}`, `found ${show(task.priority)}, ${expected}`);
  }
}

function needsOf(task: TaskSpec, position: number, index: ReadonlyMap<string, number>): number[] {
  const where = () => `tasks[${position}].needs of ${task.id}`;
  const needs = task.needs.map((id) => {
    const need = index.get(id);
    if (need === undefined)
      throw invalid(where(), `found ${show(id)}, expected the id of a task of the plan`);
    if (need === position) throw invalid(where(), `found itself; a cycle: ${id} → ${id}`);
    return need;
  });
  if (new Set(needs).size < needs.length) throw invalid(where(), 'found a task twice, expected each once');
  return needs;
}

/** The wave of each task: as given, or one more than the highest of those it needs. */
function wavesOf(tasks: readonly TaskSpec[], needs: readonly (readonly number[])[]): number[] {
  const waves = tasks.map(() => 0);
  const unmet = needs.map((positions) => positions.length);
  const dependents: number[][] = tasks.map(() => []);
  needs.forEach((positions, position) => {
    for (const need of positions) dependents[need]?.push(position);
  });
  const met = unmet.flatMap((count, position) => (count === 0 ? [position] : []));
  for (let next = 0; next < met.length; next += 1) {
    const position = met[next] ?? 0;
    waves[position] = waveOf(tasks, position, needs[position] ?? [], waves);
    for (const dependent of dependents[position] ?? []) {
      const left = (unmet[dependent] ?? 0) - 1;
      unmet[dependent] = left;
      if (left === 0) met.push(dependent);
    }
  }
  if (met.length < tasks.length) {
    throw invalid('tasks', `found a cycle of needs: ${cycleIn(tasks, needs, unmet).join(' → ')}`);
  }
  return waves;
}

function waveOf(
  tasks: readonly TaskSpec[],
  position: number,
  needs: readonly number[],
  waves: readonly number[],
): number {
  const given = tasks[position]?.wave ?? 0;
  let least = 1;
  let because = '';
  for (const need of needs) {
    const wave = waves[need] ?? 0;
    if (wave < least) continue;
    least = wave + 1;
    because = `: it needs ${tasks[need]?.id} of wave ${wave}`;
  }
  if (given === 0) return least;
  if (Number.isSafeInteger(given) && given >= least && given <= mostTasks) return given;
  const where = `tasks[${position}].wave of ${tasks[position]?.id}`;
  throw invalid(where, `found ${given}, expected from ${least} to ${mostTasks}, or 0 to derive it${because}`);
}

/** Every task whose needs were never met needs another such task, so following them comes around. */
function cycleIn(
  tasks: readonly TaskSpec[],
  needs: readonly (readonly number[])[],
  unmet: readonly number[],
): string[] {
  const path: number[] = [];
  let position = unmet.findIndex((count) => count > 0);
  while (!path.includes(position)) {
    path.push(position);
    position = needs[position]?.find((need) => (unmet[need] ?? 0) > 0) ?? -1;
  }
  return [...path.slice(path.indexOf(position)), position].map((at) => tasks[at]?.id ?? '');
}
