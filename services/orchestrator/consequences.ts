import { Failure, type FailureCode } from '#chassis/failures.ts';
import { cut } from './cut.ts';
import { own, told } from './facts.ts';
import type { Plan } from './plan.ts';
import { planInResult } from './planning.ts';
import { inFlight, type MissionState, taskHasEnded } from './state.ts';
import type { Turn } from './turn.ts';

/** What the orchestrator does of itself when an input has changed a mission. Statuses are looked at, never counted. */

/** Results that an assignment carries, and the result of a mission; bytes. */
const mostNeeds = 32 * 1024;
const mostResult = 8 * 1024;
/** Tasks that a message names before it says how many more there are. */
const mostNamed = 20;

/** A plan takes the place of the planning, and its first tasks are assigned. */
export function adoptPlan(turn: Turn, { tasks, waves }: Plan, made_by: 'mission' | 'orchestrator'): void {
  turn.add(own('plan_created', { tasks, waves: waves.length - 1, made_by }));
  release(turn);
}

/** The task at this position has just completed or failed for good. */
export function taskEnded(turn: Turn, position: number, result: string): void {
  const { state } = turn;
  const failed = state.tasks[position]?.status === 'failed';
  if (state.status === 'planning' && !failed) {
    takePlan(turn, result);
  } else if (failed && state.policy.on_failure === 'fail_fast') {
    completeWaves(turn, [position]);
    const { id, code, message } = named(state, position);
    stop(turn, 'task_failed', `task ${id} failed (${code}): ${message}`);
  } else {
    completeWaves(turn, [position, ...(failed ? cancelDependents(turn, position) : [])]);
    finishOrRelease(turn);
  }
}

function takePlan(turn: Turn, result: string): void {
  let plan: Plan;
  try {
    plan = planInResult(result, turn.state.policy);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    stop(turn, 'invalid_plan', error.message);
    return;
  }
  adoptPlan(turn, plan, 'orchestrator');
}

/** Ends the mission if all its tasks have ended; else assigns what may be. */
export function finishOrRelease(turn: Turn): void {
  if (turn.state.tasks.every(taskHasEnded)) finish(turn);
  else release(turn);
}

/** Assigns the tasks whose needs are completed, in the order of the plan, as far as the mission may have in flight. */
export function release(turn: Turn): void {
  const { tasks, plan, policy } = turn.state;
  if (plan === null) return;
  let free = policy.max_in_flight;
  for (const task of tasks) if (inFlight(task)) free -= 1;
  for (let position = 0; position < tasks.length && free > 0; position += 1) {
    const task = tasks[position];
    if (task?.status !== 'pending') continue;
    if (!plan.needs[position]?.every((need) => tasks[need]?.status === 'completed')) continue;
    assign(turn, position, task.attempt + 1, 1);
    free -= 1;
  }
}

/** Gives a task to its role. A lease above 1 is a resume: it has what is left of the attempt's time. */
export function assign(turn: Turn, position: number, attempt: number, lease: number): void {
  const { state, now } = turn;
  const spec = state.plan?.tasks[position];
  const task = state.tasks[position];
  if (spec === undefined || task === undefined) throw new Failure('internal_error', `no task ${position}`);
  const { id, role, wave, description, script } = spec;
  if (wave > 0 && !waveHasStarted(state, wave)) {
    turn.add(own('wave_started', { wave, tasks: idsOf(state, waveOf(state, wave)) }));
  }
  const resumed = attempt === task.attempt && task.started_at > 0;
  const timeout_ms = resumed ? Math.max(1, task.timeout_at - now) : spec.timeout_ms;
  const { journal_partition, journal_offset } = resumed
    ? task
    : { journal_partition: -1, journal_offset: -1 };
  const needs = needResults(state, position);
  const { lease_ms } = state.policy;
  const what = { task_id: id, role, wave, attempt, lease, description, script, needs };
  const how = { timeout_ms, lease_ms, journal_partition, journal_offset };
  turn.add(told('task_assigned', role, { ...what, ...how }));
}

function needResults(state: MissionState, position: number) {
  const needs = state.plan?.needs[position] ?? [];
  const each = Math.floor(mostNeeds / Math.max(1, needs.length));
  return needs.map((need) => {
    const { id, role, result } = named(state, need);
    return { task_id: id, role, result: cut(result, each) };
  });
}

/** Says of each wave that one of these tasks belongs to, if it is over, that it is. They have just ended. */
function completeWaves(turn: Turn, positions: readonly number[]): void {
  const { state } = turn;
  const waves = new Set(positions.map((position) => state.plan?.tasks[position]?.wave ?? 0));
  for (const wave of [...waves].sort((a, b) => a - b)) {
    const tasks = waveOf(state, wave).flatMap((position) => state.tasks[position] ?? []);
    // A wave that was cancelled as a whole before it began is neither started nor completed.
    if (wave === 0 || !waveHasStarted(state, wave) || !tasks.every(taskHasEnded)) continue;
    const completed = tasks.filter((task) => task.status === 'completed').length;
    const failed = tasks.filter((task) => task.status === 'failed').length;
    turn.add(own('wave_completed', { wave, completed, failed }));
  }
}

const waveOf = (state: MissionState, wave: number): readonly number[] => state.plan?.waves[wave] ?? [];

function waveHasStarted(state: MissionState, wave: number): boolean {
  return waveOf(state, wave).some((position) => (state.tasks[position]?.attempt ?? 0) > 0);
}

/** Cancels all that needs the failed task, directly or not; returns the positions. */
function cancelDependents(turn: Turn, failed: number): number[] {
  const { plan } = turn.state;
  const cancelled: number[] = [];
  const reached = [failed];
  for (let at = reached.shift(); at !== undefined; at = reached.shift()) {
    for (const position of plan?.dependents[at] ?? []) {
      const task = turn.state.tasks[position];
      if (task === undefined || taskHasEnded(task)) continue;
      cancelTask(turn, position, `it needs ${named(turn.state, at).id}, which did not complete`);
      cancelled.push(position);
      reached.push(position);
    }
  }
  return cancelled;
}

/** Cancels the tasks that were given to somebody. Those that were not are cancelled by the mission's end alone. */
export function cancelTasks(turn: Turn, reason: string): void {
  turn.state.tasks.forEach((task, position) => {
    if (inFlight(task) || task.status === 'waiting') cancelTask(turn, position, reason);
  });
}

function cancelTask(turn: Turn, position: number, reason: string): void {
  const { id, role, attempt, lease } = named(turn.state, position);
  turn.add(told('task_cancelled', role, { task_id: id, role, attempt, lease, reason }));
}

/** Fails the mission before all its tasks have ended. */
export function stop(turn: Turn, code: FailureCode, message: string): void {
  cancelTasks(turn, cut(message, mostResult));
  fail(turn, code, message);
}

function fail(turn: Turn, code: FailureCode, message: string): void {
  const { state, now } = turn;
  const failed_tasks = idsOf(state, positionsOf(state, 'failed'));
  const completed = positionsOf(state, 'completed').length;
  const duration_ms = now - state.created_at;
  turn.add(
    own('mission_failed', { code, message: cut(message, mostResult), failed_tasks, completed, duration_ms }),
  );
}

/** All tasks have ended. */
function finish(turn: Turn): void {
  const { state, now } = turn;
  const failed = idsOf(state, positionsOf(state, 'failed'));
  const missing = idsOf(state, positionsOf(state, 'cancelled'));
  if (failed.length > 0 || missing.length > 0) {
    const rest = missing.length > 0 ? `; not done, as they need what failed: ${names(missing)}` : '';
    fail(turn, 'task_failed', `failed: ${names(failed)}${rest}`);
    return;
  }
  const attempts = state.tasks.reduce((sum, task) => sum + task.attempt, 0);
  const duration_ms = now - state.created_at;
  const result = missionResult(state);
  turn.add(own('mission_completed', { tasks: state.tasks.length, attempts, duration_ms, result }));
}

/** The results of the tasks that no other task needs. */
function missionResult(state: MissionState): string {
  const last = state.tasks.flatMap((_, position) =>
    state.plan?.dependents[position]?.length === 0 ? [named(state, position)] : [],
  );
  const lines = last.filter(({ result }) => result !== '').map(({ id, result }) => `${id}: ${result}`);
  return cut(last.length === 1 ? (last[0]?.result ?? '') : lines.join('\n'), mostResult);
}

const positionsOf = (state: MissionState, status: string): number[] =>
  state.tasks.flatMap((task, position) => (task.status === status ? [position] : []));

const idsOf = (state: MissionState, positions: readonly number[]): string[] =>
  positions.map((position) => state.plan?.tasks[position]?.id ?? '');

function names(ids: readonly string[]): string {
  const more = ids.length > mostNamed ? ` and ${ids.length - mostNamed} more` : '';
  return ids.slice(0, mostNamed).join(', ') + more;
}

/** What the plan and the state say of one task. */
function named(state: MissionState, position: number) {
  const spec = state.plan?.tasks[position];
  const task = state.tasks[position];
  if (spec === undefined || task === undefined) throw new Failure('internal_error', `no task ${position}`);
  return { ...task, id: spec.id, role: spec.role };
}
