import type { PayloadOf } from '#schemas/types.gen.ts';
import { cut } from './cut.ts';
import { indexPlan } from './plan.ts';
import { type MissionState, newTask, type TaskState } from './state.ts';
import { isAboutUndoing, isSuspension, suspendedFor, undoingText, undoSpecs, undoTasks } from './undoing.ts';

/** What is known of a mission that undoes its work, or is suspended. */

/** A state has to fit into a record. */
const mostMessage = 8 * 1024;

/** From here on it has no deadline: what is half undone is worse than what is late. Nor is there a plan to approve. */
export function undoingBegan(
  state: MissionState,
  { code, message, cancelled_by }: PayloadOf<'undoing_started'>,
): MissionState {
  const undoing = undoingText({ code, message: cut(message, mostMessage), cancelled_by });
  return {
    ...state,
    undoing,
    deadline_at: 0,
    reviews: state.reviews.filter(({ task_id }) => task_id !== ''),
  };
}

/** The first compensation that begins brings all of them into the plan: what is to be undone is known by then. */
export function compensationBegan(state: MissionState): MissionState {
  if (state.plan === null || undoTasks(state).length > 0) return state;
  const added = undoSpecs(state);
  return {
    ...state,
    plan: indexPlan([...state.plan.tasks, ...added]),
    tasks: [...state.tasks, ...added.map(() => newTask)],
  };
}

/** One that failed, and that a person calls done, is done. */
export function compensationEnded(state: MissionState, task_id: string): MissionState {
  return changed(state, task_id, (task) => (task.status === 'failed' ? { status: 'completed' } : {}));
}

/** A person has decided on a failure: what is to be tried again begins anew, and its earlier attempts count no more. */
export function redriven(
  state: MissionState,
  review: { readonly kind: string; readonly task_id: string },
  decision: string,
): MissionState | null {
  if (isAboutUndoing(state, review)) {
    return decision === 'approved' ? changed(state, review.task_id, again) : state;
  }
  if (!isSuspension(review)) return null;
  if (decision !== 'approved') return state;
  const failed = new Set(suspendedFor(state));
  const tasks = state.tasks.map((task, position) =>
    failed.has(position) ? { ...task, ...again(task) } : task,
  );
  return { ...state, tasks, suspensions: state.suspensions + 1 };
}

const again = ({ attempt, handoffs }: TaskState) =>
  ({ status: 'pending', tried: attempt - handoffs, ended_at: 0 }) as const;

function changed(
  state: MissionState,
  task_id: string,
  change: (task: TaskState) => Partial<TaskState>,
): MissionState {
  const position = state.plan?.index.get(task_id) ?? -1;
  const task = state.tasks[position];
  if (task === undefined) return state;
  return { ...state, tasks: state.tasks.with(position, { ...task, ...change(task) }) };
}
