import { taskSpec } from '#schemas/task-spec.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { isTolerated } from './ending.ts';
import { idsOf } from './positions.ts';
import { inFlight, type MissionState, missionHasEnded, type TaskState, taskHasEnded } from './state.ts';

/** What a mission that undoes its work, or is suspended, has done and has yet to do: read off its state. */

/** Why a mission is being undone, and what it ends as then. */
export interface Undoing {
  readonly code: string;
  /** For people; of a cancellation: its reason. */
  readonly message: string;
  /** Who cancelled the mission; null: it fails. */
  readonly cancelled_by: string | null;
}

export const undoingText = ({ code, message, cancelled_by }: Undoing): string =>
  JSON.stringify({ code, message, cancelled_by });

/** Null: nothing is being undone. */
export function undoingOf({ undoing }: Pick<MissionState, 'undoing'>): Undoing | null {
  return undoing === '' ? null : (JSON.parse(undoing) as Undoing);
}

/**
 * The tasks that are to be undone, the last that completed first. Of those that completed in the same millisecond, the
 * one of the later wave goes first, so that nothing is undone before what was built on it.
 */
export function toUndo({ plan, tasks }: MissionState): number[] {
  const wave = (position: number) => plan?.tasks[position]?.wave ?? 0;
  const endedAt = (position: number) => tasks[position]?.ended_at ?? 0;
  return tasks
    .flatMap((task, position) => {
      const spec = plan?.tasks[position];
      return task.status === 'completed' && spec !== undefined && canBeUndone(spec) ? [position] : [];
    })
    .sort((a, b) => endedAt(b) - endedAt(a) || wave(b) - wave(a) || b - a);
}

export const canBeUndone = ({ compensation, compensates }: TaskSpec): boolean =>
  compensation !== null && compensates === '';

/** The tasks that undo others, in the order in which they do; empty before the first begins. */
export const undoTasks = ({ plan }: Pick<MissionState, 'plan'>): number[] =>
  plan?.tasks.flatMap(({ compensates }, position) => (compensates === '' ? [] : [position])) ?? [];

/** Ids of the tasks that are undone, in that order. */
export const undoneIds = ({ plan, tasks }: Pick<MissionState, 'plan' | 'tasks'>): string[] =>
  undoTasks({ plan }).flatMap((position) => {
    const done = tasks[position]?.status === 'completed';
    return done ? [plan?.tasks[position]?.compensates ?? ''] : [];
  });

/** Ids of the tasks that would have been undone, and are not. */
export function notUndoneIds(state: MissionState): string[] {
  const undone = new Set(undoneIds(state));
  return idsOf(state, toUndo(state)).filter((id) => !undone.has(id));
}

/**
 * The tasks that undo these, as they stand in the plan. What they are to do is not written down again: it is the
 * compensation of the task that they undo.
 */
export function undoSpecs(state: MissionState): TaskSpec[] {
  const taken = new Set(state.plan?.index.keys());
  return toUndo(state).flatMap((position) => {
    const spec = state.plan?.tasks[position];
    if (spec === undefined) return [];
    const { id, role, timeout_ms, model, priority } = spec;
    // A mission is undone by a mission.
    const kind = spec.kind === 'mission' ? 'mission' : 'compensation';
    const max_attempts = Math.max(spec.max_attempts, state.policy.max_attempts);
    const about = { role, timeout_ms, model, priority, kind, max_attempts };
    return taskSpec({ id: undoId(id, taken), needs: [id], compensates: id, ...about });
  });
}

function undoId(id: string, taken: ReadonlySet<string>): string {
  let free = `undo-${id}`;
  for (let number = 2; taken.has(free); number += 1) free = `undo-${number}-${id}`;
  return free;
}

/**
 * Whether the end of this task is awaited before anything is undone: somebody works on it, and either its work can be
 * undone, so that it must not be cut in half, or it is a mission, which has to undo its own work first.
 */
export function isAwaited({ plan, tasks }: MissionState, position: number): boolean {
  const task = tasks[position];
  const spec = plan?.tasks[position];
  if (task === undefined || spec === undefined || !inFlight(task) || task.started_at === 0) return false;
  return spec.compensates === '' && (spec.kind === 'mission' || canBeUndone(spec));
}

/** Whether the mission has anything to undo, or may have when what is under way has ended. */
export function hasToUndo(state: MissionState): boolean {
  if (state.policy.on_failure !== 'compensate') return false;
  if (toUndo(state).length > 0) return true;
  return state.tasks.some((_, position) => {
    const spec = state.plan?.tasks[position];
    return spec !== undefined && canBeUndone(spec) && isAwaited(state, position);
  });
}

/** Failures for which the mission is suspended: positions of the tasks that a person may have tried again. */
export function suspendedFor({ policy, plan, tasks, undoing }: MissionState): number[] {
  if (policy.on_failure !== 'suspend' || undoing !== '') return [];
  return tasks.flatMap((task, position) =>
    task.status === 'failed' && !isTolerated(plan, position) ? [position] : [],
  );
}

/** The status as people see it: what a running mission does when it is not simply running. */
export function shownStatus(state: MissionState): MissionState['status'] | 'compensating' | 'suspended' {
  if (missionHasEnded(state)) return state.status;
  if (state.undoing !== '') return 'compensating';
  return state.reviews.some(isSuspension) ? 'suspended' : state.status;
}

export const isSuspension = ({
  kind,
  task_id,
}: {
  readonly kind: string;
  readonly task_id: string;
}): boolean => kind === 'suspend' && task_id === '';

/** The review in which a person is asked about a compensation that failed; not one that its agent asks for. */
export function isAboutUndoing(
  { plan, tasks }: Pick<MissionState, 'plan' | 'tasks'>,
  { kind, task_id }: { readonly kind: string; readonly task_id: string },
): boolean {
  const position = plan?.index.get(task_id) ?? -1;
  const undoes = (plan?.tasks[position]?.compensates ?? '') !== '';
  return kind === 'compensation' && undoes && tasks[position]?.status === 'failed';
}

/**
 * Attempts that count against the most that there may be: those since a person had it tried again, and what was handed
 * over has not failed.
 */
export const countedAttempts = (
  task: Pick<TaskState, 'attempt' | 'tried' | 'handoffs'> | undefined,
): number => (task === undefined ? 0 : task.attempt - task.tried - task.handoffs);

/** Tasks of the plan itself, without those that undo them. */
export function ofThePlan({ plan, tasks }: Pick<MissionState, 'plan' | 'tasks'>) {
  return tasks.filter((_, position) => (plan?.tasks[position]?.compensates ?? '') === '');
}

/** Tasks that had begun, could have been undone, and did not complete: what they did is not undone. */
export function unfinishedIds(state: MissionState): string[] {
  const begun = state.tasks.flatMap((task, position) => {
    const spec = state.plan?.tasks[position];
    const could = spec !== undefined && canBeUndone(spec) && task.attempt > 0;
    return could && taskHasEnded(task) && task.status !== 'completed' ? [position] : [];
  });
  return idsOf(state, begun);
}

/** What undoes a task is told what the compensation of that task says. */
export function toldTo(
  { plan }: Pick<MissionState, 'plan'>,
  spec: TaskSpec,
): Pick<TaskSpec, 'description' | 'script'> {
  if (spec.compensates === '') return spec;
  const undone = plan?.tasks[plan.index.get(spec.compensates) ?? -1];
  return undone?.compensation ?? spec;
}
