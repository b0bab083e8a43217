import { own } from './facts.ts';
import { inFlight, type MissionState, missionHasEnded, type TaskState } from './state.ts';
import type { Turn } from './turn.ts';

/** Tasks that wait for what nobody is left to provide. */

const waits = ({ waiting_for }: TaskState): boolean => waiting_for !== '';

const goesOn = (task: TaskState): boolean =>
  inFlight(task) || task.status === 'waiting' || (task.status === 'parked' && !waits(task));

/**
 * Tasks wait, nothing goes on by itself, and no question is open: all the others wait too, or need one that does, or
 * what is left of the budget is held by those that wait. Only a reaction could still bring in somebody.
 */
export const isStuck = (state: MissionState): boolean =>
  !missionHasEnded(state) &&
  state.reviews.length === 0 &&
  state.tasks.some(waits) &&
  !state.tasks.some(goesOn);

export function tellUnavailable(turn: Turn): void {
  const { tasks, plan } = turn.state;
  tasks.forEach((task, position) => {
    const task_id = plan?.tasks[position]?.id;
    if (!waits(task) || task_id === undefined) return;
    const message = `nothing is left that could provide ${task.waiting_for}`;
    const about = { task_id, code: 'dependency_unavailable', message, where: `task ${task_id}` };
    turn.add(own('error_raised', { ...about, severity: 'warning', subscription: '', trigger: '' }));
  });
}
