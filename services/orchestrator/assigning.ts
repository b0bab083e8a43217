import { Failure } from '#chassis/failures.ts';
import type { Amounts, NeedResult, ReviewAnswer, TaskSpec } from '#schemas/types.gen.ts';
import { reservationFor, reserves, timeOf } from './budget.ts';
import { goOnUndoing } from './compensating.ts';
import { contextFor } from './context.ts';
import { cut } from './cut.ts';
import { stop } from './ending.ts';
import { own, told } from './facts.ts';
import { bytesOf, mostBytes } from './plan.ts';
import { needsNoModel } from './planning.ts';
import { idsOf, named } from './positions.ts';
import { mayReact } from './settling.ts';
import { inFlight, type MissionState, taskHasEnded } from './state.ts';
import { isStuck, tellUnavailable } from './stuck.ts';
import { askAboutFailures } from './suspending.ts';
import type { Turn } from './turn.ts';
import { suspendedFor, toldTo } from './undoing.ts';
import { waveHasStarted, waveOf } from './waves.ts';

/** The most bytes of the results that an assignment carries. */
export const mostNeeds = 32 * 1024;

/** Assigns what may go on. What waits for something, while nobody is left who could provide it, is told so. */
export function release(turn: Turn): void {
  assign(turn);
  if (isStuck(turn.state) && !mayReact(turn.state)) releaseWithout(turn);
}

/** What waits goes on without what it waits for. */
export function releaseWithout(turn: Turn): void {
  tellUnavailable(turn);
  assign(turn);
}

/**
 * First the parked tasks that have what they waited for, then the tasks whose needs are met, in the order of the plan,
 * as far as the mission may have in flight and its budget reaches. While a question about the whole mission waits, no
 * new attempt begins.
 */
function assign(turn: Turn): void {
  const { tasks, plan, policy, reviews, undoing } = turn.state;
  if (plan === null) return;
  if (undoing !== '') {
    goOnUndoing(turn);
    return;
  }
  let free = policy.max_in_flight;
  for (const task of tasks) if (inFlight(task)) free -= 1;
  const asks = new Set(reviews.map(({ task_id }) => task_id));
  for (let position = 0; position < tasks.length && free > 0; position += 1) {
    const task = tasks[position];
    if (task?.status !== 'parked' || task.waiting_for !== '' || asks.has(plan.tasks[position]?.id ?? ''))
      continue;
    resume(turn, position);
    free -= 1;
  }
  if (asks.has('')) return;
  if (suspendedFor(turn.state).length > 0) {
    askAboutFailures(turn);
    return;
  }
  for (let position = 0; position < tasks.length && free > 0; position += 1) {
    const task = tasks[position];
    if (task?.status !== 'pending' || !needsAreMet(turn.state, position)) continue;
    let { cheaper } = turn.state;
    let reservation = reservationFor(turn.state, position, cheaper);
    if (!reservation.fits && policy.options.on_exhausted === 'cheaper' && !cheaper) {
      cheaper = true;
      reservation = reservationFor(turn.state, position, cheaper);
    }
    if (!reservation.fits) {
      // What is reserved may come back in part; when nothing is, nothing will.
      if (!reserves(turn.state)) exhausted(turn, reservation.why);
      return;
    }
    give(turn, position, { attempt: task.attempt + 1, lease: 1, budget: reservation.amounts, cheaper });
    free -= 1;
  }
}

/** A task that makes do with what there is waits for the end of its needs, others for their completion. */
function needsAreMet({ tasks, plan }: MissionState, position: number): boolean {
  const partial = plan?.tasks[position]?.partial === true;
  return (plan?.needs[position] ?? []).every((need) => {
    const task = tasks[need];
    return task?.status === 'completed' || (partial && task !== undefined && taskHasEnded(task));
  });
}

function exhausted(turn: Turn, why: string): void {
  const { mission_id, policy, grants, cheaper } = turn.state;
  if (policy.options.on_exhausted !== 'ask') {
    stop(turn, 'budget_exhausted', why);
    return;
  }
  // Each answer after which it goes on adds a grant, or, once, makes it cheaper: so no id comes again.
  const answers = grants + (cheaper ? 1 : 0);
  ask(turn, { kind: 'budget', review_id: `${mission_id}/budget/${answers}`, reason: why });
}

/** Puts a question about the whole mission to a person; nothing is assigned until it is answered. */
export function ask(
  turn: Turn,
  about: { kind: 'plan' | 'budget' | 'pause' | 'suspend'; review_id: string; reason: string },
): void {
  const nothing = { task_id: '', tool: '', arguments: '', arguments_hash: '', expires_at: 0 };
  const nobody = { attempt: 0, lease: 0, agent: '', step: 0 };
  turn.add(own('review_requested', { ...nothing, ...nobody, ...about }));
}

/** The next lease of the same attempt: it keeps its reservation and what is left of its time. */
export function resume(turn: Turn, position: number): void {
  const task = turn.state.tasks[position];
  if (task === undefined) throw new Failure('internal_error', `no task ${position}`);
  const { attempt, lease, reserved } = task;
  give(turn, position, { attempt, lease: lease + 1, budget: reserved, cheaper: turn.state.cheaper });
}

/** Gives a task to its role. A lease above 1 is a resume: it has what is left of the attempt's time. */
export function give(
  turn: Turn,
  position: number,
  as: {
    readonly attempt: number;
    readonly lease: number;
    readonly budget: Amounts | null;
    readonly cheaper: boolean;
  },
): void {
  const { state, now } = turn;
  const { attempt, lease, budget, cheaper } = as;
  const spec = state.plan?.tasks[position];
  const task = state.tasks[position];
  if (spec === undefined || task === undefined) throw new Failure('internal_error', `no task ${position}`);
  const { id, role, wave, kind, mission } = spec;
  const { description, script } = toldTo(state, spec);
  if (wave > 0 && !waveHasStarted(state, wave)) {
    turn.add(own('wave_started', { wave, tasks: idsOf(state, waveOf(state, wave)) }));
  }
  const resumed = attempt === task.attempt && task.started_at > 0;
  const left = task.status === 'parked' ? task.timeout_left : task.timeout_at - now;
  const timeout_ms = Math.max(1, resumed ? left : timeOf(spec, budget));
  const { journal_partition, journal_offset } = resumed
    ? task
    : { journal_partition: -1, journal_offset: -1 };
  const needs = needResults(state, position);
  const { lease_ms } = state.policy;
  const what = { task_id: id, role, wave, attempt, lease, description, script, needs, kind, mission };
  const { compensates } = spec;
  const answers = resumed ? task.answers : [];
  const context = contextFor(state, position, attempt, () =>
    roomFor({ ...spec, description, script }, needs, answers),
  );
  const how = { timeout_ms, lease_ms, journal_partition, journal_offset };
  const model = { model: spec.model === '' ? modelOf(state, role) : spec.model, cheaper };
  const roles = kind === 'plan' ? state.roles : [];
  const agents = needsNoModel(spec) ? state.policy.options.agents : 0;
  turn.add(
    told('task_assigned', role, {
      ...what,
      ...how,
      ...model,
      budget,
      roles,
      answers,
      context,
      compensates,
      agents,
    }),
  );
}

/** What a record with this assignment has room for (bytes). */
function roomFor(spec: TaskSpec, needs: readonly NeedResult[], answers: readonly ReviewAnswer[]): number {
  const bytes = [...needs, ...answers].reduce(
    (sum, each) => sum + Buffer.byteLength(JSON.stringify(each)),
    0,
  );
  return mostBytes - bytesOf([{ ...spec, context: '' }]) - bytes;
}

/** The model that the mission names for a role, or for all roles; empty: as the role says. */
function modelOf({ policy }: MissionState, role: string): string {
  const { models } = policy.options;
  const named = models.find((each) => each.role === role) ?? models.find((each) => each.role === '');
  return named?.model ?? '';
}

function needResults(state: MissionState, position: number) {
  const needs = state.plan?.needs[position] ?? [];
  const each = Math.floor(mostNeeds / Math.max(1, needs.length));
  return needs.map((need) => {
    const { id, role, status, result, code, message } = named(state, need);
    if (status === 'completed') return { task_id: id, role, status, result: cut(result, each) };
    const why = [code, message].filter((part) => part !== '').join(': ');
    return { task_id: id, role, status, result: cut(why, each) };
  });
}
