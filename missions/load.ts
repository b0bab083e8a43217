/**
 * Mission files: YAML or JSON, from a file or standard input, to the fields of the command that submits them.
 * Everything that is wrong is said at once, each with its place.
 */
import type { Role } from '#roles/load.ts';
import { taskSpec as specWith } from '#schemas/task-spec.ts';
import type { Compensation, MissionCommand, TaskSpec } from '#schemas/types.gen.ts';
import { type MissionFile, missionFile, type SubMissionFile, type TaskFile } from './mission-file.ts';
import { amountsOf, optionsOf } from './options.ts';
import type { Place, Places } from './places.ts';
import { idleProblems, reactionProblems, reactionsOf } from './reactions-file.ts';
import { readFile } from './read-file.ts';
import { scriptOf } from './script.ts';

/** What a mission file says; a caller adds the envelope. */
export type MissionFields = Pick<
  MissionCommand,
  'name' | 'brief' | 'priority' | 'tasks' | 'limits' | 'on_failure' | 'options'
>;

/** What is needed of the roles here. */
export type KnownRoles = ReadonlyMap<string, { readonly limits: Pick<Role['limits'], 'timeout_ms'> }>;

/**
 * Throws one `invalid_mission` that lists every error as `file:line:column: where: found …, expected …`. With `roles`,
 * a task of any other role is one, and a task without a timeout takes its role's.
 */
export function parseMission(
  text: string,
  file: string,
  options: { roles?: KnownRoles } = {},
): MissionFields {
  const { data, places, refuse } = readFile(text, file, missionFile);
  const { roles = null } = options;
  const located = locateTasks(data, roles);
  const known = roles && new Set(roles.keys());
  const problems = [
    ...taskProblems(located, places, roles),
    ...reactionProblems(data, { places, roles: known, standing: false }),
    ...idleProblems(data, places),
  ];
  const reacts = data.subscriptions.length + data.aggregators.length > 0;
  if (located.length === 0 && data.brief === '' && !reacts) {
    problems.push(places.of([], 'mission', 'found neither tasks, waves nor a brief', 'one of them'));
  }
  if (problems.length > 0) throw refuse(problems);
  const { name, brief, priority, limits, deadline, on_failure } = data;
  return {
    name,
    brief,
    priority,
    tasks: located.map(({ task }) => task),
    limits: {
      max_in_flight: limits.max_in_flight,
      task_timeout_ms: limits.task_timeout,
      lease_ms: limits.lease,
      deadline_ms: deadline,
      max_attempts: limits.max_attempts,
    },
    on_failure,
    options: { ...optionsOf(data), ...reactionsOf(data) },
  };
}

interface Located {
  readonly task: TaskSpec;
  readonly path: Place;
}

function locateTasks(mission: MissionFile, roles: KnownRoles | null): Located[] {
  const prefix = mission.id_prefix ?? /[A-Za-z0-9]+/.exec(mission.name)?.[0]?.toLowerCase() ?? 'task';
  const spec = (task: TaskFile, id: string, needs: readonly string[]) =>
    taskSpec(task, mission, id, needs, roles?.get(task.role)?.limits.timeout_ms ?? 0);
  if (mission.tasks) {
    return mission.tasks.map((task, index) => ({
      path: ['tasks', index],
      task: spec(task, task.id ?? `${prefix}-${task.role}-${index + 1}`, task.needs ?? []),
    }));
  }
  const located: Located[] = [];
  let before: string[] = [];
  for (const [index, wave] of (mission.waves ?? []).entries()) {
    const ids: string[] = [];
    for (const [position, task] of wave.entries()) {
      const id = task.id ?? `${prefix}-${task.role}-wave${index + 1}`;
      ids.push(id);
      located.push({
        path: ['waves', index, position],
        task: spec(task, id, task.needs ?? before),
      });
    }
    before = ids;
  }
  return located;
}

function taskSpec(
  task: TaskFile,
  mission: MissionFile,
  id: string,
  needs: readonly string[],
  timeoutOfRole: number,
): TaskSpec {
  const idempotent = task.idempotent ?? mission.idempotent;
  return specWith({
    id,
    role: task.role,
    description: task.description,
    needs,
    timeout_ms: task.timeout || timeoutOfRole,
    max_attempts: task.max_attempts,
    script: scriptOf(task.script, task.answer, idempotent),
    model: task.model ?? '',
    partial: task.partial,
    mission: missionText(task.mission, mission),
    compensation: compensationOf(task, idempotent),
    budget: task.budget === undefined ? null : amountsOf(task.budget),
    priority: task.priority ?? '',
  });
}

function compensationOf({ compensation }: TaskFile, idempotent: boolean): Compensation | null {
  if (compensation === undefined) return null;
  const { description, script, answer } = compensation;
  return { description, script: scriptOf(script, answer, idempotent) };
}

const ofTheOrchestrator: ReadonlySet<string> = new Set<keyof TaskSpec>([
  'kind',
  'wave',
  'budget',
  'context',
  'hops',
  'caused_by',
  'compensates',
]);

/** A mission within a mission travels as JSON text. */
function missionText(given: string | SubMissionFile | undefined, mission: MissionFile): string {
  if (given === undefined || typeof given === 'string') return given ?? '';
  const { tasks, ...about } = given;
  const specs = tasks?.map((task, index) => {
    const id = task.id ?? `${task.role}-${index + 1}`;
    const spec = taskSpec(task, mission, id, task.needs ?? [], 0);
    // What only the orchestrator says of a task is no part of a mission's text.
    return Object.fromEntries(Object.entries(spec).filter(([field]) => !ofTheOrchestrator.has(field)));
  });
  return JSON.stringify({ ...about, ...(specs === undefined ? {} : { tasks: specs }) });
}

function* taskProblems(
  located: readonly Located[],
  places: Places,
  roles: KnownRoles | null,
): Iterable<string> {
  const first = new Map<string, Located>();
  for (const item of located) {
    const { id } = item.task;
    const other = first.get(id);
    if (other) {
      const expected = `an id of its own; ${places.line(other.path)} has it too`;
      yield places.of([...item.path, 'id'], `${places.name(item.path)}.id`, `found ${id}`, expected);
    } else first.set(id, item);
  }
  for (const { task, path } of located) {
    if (roles && !roles.has(task.role)) {
      const known = `one of ${[...roles.keys()].sort().join(', ')}`;
      yield places.of([...path, 'role'], `${places.name(path)}.role`, `found ${task.role}`, known);
    }
    for (const [index, need] of task.needs.entries()) {
      if (first.has(need)) continue;
      const where = `${places.name(path)}.needs[${index}]`;
      yield places.of([...path, 'needs', index], where, `found ${need}`, 'the id of a task of this mission');
    }
  }
  const cycle = findCycle(new Map([...first].map(([id, { task }]) => [id, task.needs])));
  if (cycle) {
    const path = first.get(cycle[0] ?? '')?.path ?? [];
    yield places.of(
      [...path, 'needs'],
      `${places.name(path)}.needs`,
      `found the cycle ${cycle.join(' -> ')}`,
      'none',
    );
  }
}

/** A cycle, its first id again at the end; null where there is none. Not recursive: a chain may be thousands long. */
function findCycle(needs: ReadonlyMap<string, readonly string[]>): string[] | null {
  const finished = new Set<string>();
  for (const start of needs.keys()) {
    const path: string[] = [];
    const onPath = new Set<string>();
    const pending: (string | null)[] = [start];
    while (pending.length > 0) {
      const id = pending.pop() ?? null;
      if (id === null) {
        const left = path.pop() ?? '';
        onPath.delete(left);
        finished.add(left);
      } else if (onPath.has(id)) {
        return [...path.slice(path.indexOf(id)), id];
      } else if (!finished.has(id)) {
        path.push(id);
        onPath.add(id);
        // null: everything below this id has been seen.
        pending.push(null, ...(needs.get(id) ?? []));
      }
    }
  }
  return null;
}
