import { Failure } from '#chassis/failures.ts';
import type * as records from '#schemas/types.gen.ts';
import type { Tail } from './ledger.ts';
import { indexPlan, type Plan } from './plan.ts';

export type TaskStatus =
  /** Not assigned: its needs are not completed, or its mission may not have more in flight. */
  | 'pending'
  /** Given to its role; no agent has claimed it yet. */
  | 'assigned'
  | 'running'
  /** A person has to decide before the attempt goes on; no agent works on it. */
  | 'parked'
  /** An attempt failed; the next one waits for its time. */
  | 'waiting'
  | 'completed'
  | 'failed'
  | 'cancelled';

export interface TaskState extends records.TaskState {
  readonly status: TaskStatus;
}

export type Status = 'planning' | 'running' | 'completed' | 'failed' | 'cancelled' | 'rejected';

/** What is known of a mission. Times are epoch ms, 0: not set. */
export interface MissionState {
  readonly mission_id: string;
  readonly name: string;
  readonly brief: string;
  readonly status: Status;
  readonly priority: records.Priority;
  readonly traceparent: string;
  readonly policy: records.MissionPolicy;
  /** Null until there is one, and in a mission that was restored after its end. */
  readonly plan: Plan | null;
  /** Task i belongs to task i of the plan. */
  readonly tasks: readonly TaskState[];
  readonly created_at: number;
  readonly updated_at: number;
  readonly ended_at: number;
  readonly deadline_at: number;
  /** Roles that a plan may use; empty: not restricted. */
  readonly roles: readonly string[];
  /** The task that this mission is, of another mission. */
  readonly parent: records.ParentTask | null;
  /** Missions above this one. */
  readonly depth: number;
  /** By attempts that have ended. */
  readonly spent: records.Usage;
  readonly spent_ms: number;
  readonly reviews: readonly records.PendingReview[];
  /** How often the planner was asked again. */
  readonly replans: number;
  /** Budgets of the same size that people have added. */
  readonly grants: number;
  /** Money has run short: tasks go to the cheaper models of their roles. */
  readonly cheaper: boolean;
  /** Facts so far. */
  readonly sequence: number;
  /** Dependencies that tasks have provided. */
  readonly provided: readonly records.NamedText[];
  /** What every task that is assigned is told. */
  readonly shared: readonly records.NamedText[];
  /** Aggregators that have begun. */
  readonly joins: readonly records.OpenJoin[];
  /** Why what was done is being undone: what the mission will fail with; empty: it is not. */
  readonly undoing: string;
  /** How often it was suspended and went on. */
  readonly suspensions: number;
  /** The version of the rules by which it is decided (`rules.ts`). */
  readonly rules: number;
}

const taskStatuses: Readonly<Record<TaskStatus, true>> = {
  pending: true,
  assigned: true,
  running: true,
  parked: true,
  waiting: true,
  completed: true,
  failed: true,
  cancelled: true,
};
const statuses: Readonly<Record<Status, true>> = {
  planning: true,
  running: true,
  completed: true,
  failed: true,
  cancelled: true,
  rejected: true,
};

/** Whether this is a status, known to this version, of a mission that has ended. */
export const isEnd = (status: string): boolean =>
  Object.hasOwn(statuses, status) && status !== 'planning' && status !== 'running';

export const missionHasEnded = ({ status }: MissionState): boolean => isEnd(status);

export function taskHasEnded({ status }: TaskState): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/** The plan that a mission without tasks begins with, or is given anew, is being made. */
export function isPlanning({ plan, tasks }: Pick<MissionState, 'plan' | 'tasks'>): boolean {
  return tasks.some((task, position) => plan?.tasks[position]?.kind === 'plan' && !taskHasEnded(task));
}

/** Whether the task counts against the mission's `max_in_flight`. */
export function inFlight({ status }: TaskState): boolean {
  return status === 'assigned' || status === 'running';
}

export const newTask: TaskState = {
  status: 'pending',
  attempt: 0,
  lease: 0,
  agent: '',
  lease_until: 0,
  timeout_at: 0,
  retry_at: 0,
  started_at: 0,
  ended_at: 0,
  result: '',
  code: '',
  message: '',
  journal_partition: -1,
  journal_offset: -1,
  expired: 0,
  timeout_left: 0,
  reserved: null,
  answers: [],
  reported: 0,
  checkpoint: '',
  handoffs: 0,
  waiting_for: '',
  tried: 0,
};

/**
 * The records that the changelog keeps of a mission. Of an ended one only what recognises a duplicate is kept: its
 * tasks and its plan are on the ledger. `plan` changes only when `state.plan` does.
 */
export function toRecords(
  state: MissionState,
  tail: Tail,
): { readonly mission: records.MissionState; readonly plan: records.MissionPlan | null } {
  const { plan, tasks, ...rest } = state;
  const waves = plan === null ? 0 : plan.waves.length - 1;
  const mission = { ...rest, sequence: tail.sequence, head_hash: tail.hash, waves, tasks };
  if (missionHasEnded(state)) {
    const options = { ...state.policy.options, subscriptions: [], aggregators: [], events: [] };
    const nothing = { brief: '', tasks: [], provided: [], shared: [], policy: { ...state.policy, options } };
    return { mission: { ...mission, ...nothing }, plan: null };
  }
  return { mission, plan: plan && { mission_id: state.mission_id, tasks: plan.tasks } };
}

/** The mission that `toRecords` wrote. Throws Failure `internal_error` when the two records do not belong together. */
export function fromRecords(
  mission: records.MissionState,
  plan: records.MissionPlan | null,
): { readonly state: MissionState; readonly tail: Tail } {
  const { head_hash, waves: _, ...rest } = mission;
  const status = oneOf(statuses, mission.status, `mission ${mission.mission_id}`);
  const tasks = mission.tasks.map((task, position) => ({
    ...task,
    status: oneOf(taskStatuses, task.status, `task ${position} of mission ${mission.mission_id}`),
  }));
  const state = { ...rest, status, tasks, plan: plan && indexPlan(plan.tasks) };
  const planned = state.plan?.tasks.length ?? 0;
  if (!missionHasEnded(state) && planned !== tasks.length) {
    const found = `found a plan of ${planned} tasks and ${tasks.length} states of tasks`;
    throw new Failure('internal_error', `changelog of mission ${mission.mission_id}: ${found}`);
  }
  return { state, tail: { sequence: mission.sequence, hash: head_hash } };
}

function oneOf<T extends string>(known: Readonly<Record<T, true>>, found: string, where: string): T {
  const isKnown = (status: string): status is T => Object.hasOwn(known, status);
  if (isKnown(found)) return found;
  const expected = Object.keys(known).join(', ');
  throw new Failure(
    'internal_error',
    `changelog: status of ${where}: found "${found}", expected ${expected}`,
  );
}
