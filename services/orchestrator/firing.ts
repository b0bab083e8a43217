import { release, resume } from './assigning.ts';
import { unaccounted } from './budget.ts';
import { stop } from './ending.ts';
import { told } from './facts.ts';
import { type Decision, ignore, type TimerInput } from './input.ts';
import { attemptFailed } from './reporting.ts';
import { inFlight, type MissionState, type TaskState } from './state.ts';
import { subMission } from './sub-mission.ts';
import { fired } from './timers.ts';
import type { Turn } from './turn.ts';
import { toldTo } from './undoing.ts';

/** What timers lead to that come due. */

/** An agent that loses its lease this often in one attempt gets no more of them: something kills it. */
export const mostLeases = 10;

export function deadline(turn: Turn, timer: TimerInput): Decision {
  const { state, now } = turn;
  if (timer.due_at !== state.deadline_at || timer.due_at > now) return ignore('TimerStale');
  turn.add(fired(timer));
  stop(turn, 'deadline_passed', `the mission did not end within ${state.policy.deadline_ms} ms`);
  return turn.decision();
}

export function taskTimer(turn: Turn, timer: TimerInput): Decision {
  const { state, now } = turn;
  const position = state.plan?.index.get(timer.task_id) ?? -1;
  const task = state.tasks[position];
  if (task === undefined) return ignore('TaskUnknown');
  if (timer.due_at > now || timer.attempt !== task.attempt || !applies(timer, task))
    return ignore('TimerStale');

  turn.add(fired(timer));
  const fail = (code: 'timeout' | 'lease_lost', message: string) => {
    const { attempt, lease, agent } = task;
    const failure = {
      task_id: timer.task_id,
      attempt,
      lease,
      agent,
      code,
      message,
      steps: 0,
      journal_hash: '',
      ...unaccounted(task.reserved),
    };
    const role = state.plan?.tasks[position]?.role ?? '';
    const { source_agent, target_agent } = told('task_failed', role, failure);
    attemptFailed(turn, position, { source_agent, target_agent }, failure);
  };
  switch (timer.timer) {
    case 'lease':
      // The timer's own fact has counted this one already.
      if (task.expired + 1 < mostLeases) resume(turn, position);
      else fail('lease_lost', `the lease expired, as ${mostLeases - 1} others of this attempt did`);
      break;
    case 'timeout':
      if (!undoesItself(state, position))
        fail('timeout', `no end within ${timer.due_at - task.started_at} ms`);
      break;
    case 'retry':
    case 'deadline':
    case 'review':
    case 'aggregation':
      release(turn);
  }
  return turn.decision();
}

/**
 * A mission within the mission that undoes its work when its time is up: its own deadline says when that is. Its end is
 * awaited, so that the next attempt does not build what the one before still takes away.
 */
function undoesItself(state: MissionState, position: number): boolean {
  const spec = state.plan?.tasks[position];
  if (spec?.kind !== 'mission') return false;
  const { on_failure } = subMission({ ...spec, ...toldTo(state, spec) });
  return (on_failure || state.policy.on_failure) === 'compensate';
}

/** A renewal moves a lease without a fact, so its timer is known by the lease's number, not by its time. */
function applies({ timer, lease, due_at }: TimerInput, task: TaskState): boolean {
  switch (timer) {
    case 'lease':
      return task.status === 'running' && lease === task.lease;
    case 'timeout':
      return inFlight(task) && due_at === task.timeout_at;
    case 'retry':
      return task.status === 'waiting' && due_at === task.retry_at;
    case 'deadline':
    case 'review':
    case 'aggregation':
      return false;
  }
}
