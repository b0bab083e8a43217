import type { Priority } from '#schemas/types.gen.ts';
import type { MissionState } from './state.ts';

const priorities: Readonly<Record<Priority, true>> = { high: true, normal: true, low: true };

export const isPriority = (text: string): text is Priority => Object.hasOwn(priorities, text);

/** The task's own, else its mission's. */
export function priorityOf({ plan, priority }: MissionState, task_id: string): Priority {
  const own = plan?.tasks[plan.index.get(task_id) ?? -1]?.priority ?? '';
  return isPriority(own) ? own : priority;
}
