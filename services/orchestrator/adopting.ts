import { Failure } from '#chassis/failures.ts';
import { ask, release } from './assigning.ts';
import { cancelTask, cancelTasks, stop } from './ending.ts';
import { own } from './facts.ts';
import { heuristicPlan, type MadePlan, tiered } from './made-plans.ts';
import { bytesOf, checkSize, indexPlan, type Plan, planFrom } from './plan.ts';
import { tasksInResult } from './planning.ts';
import { idsOf, named, names, positionsOf } from './positions.ts';
import { canReplan, replanned, replanning } from './replanning.ts';
import { apart, requestedBeside } from './requested-task.ts';
import type { Turn } from './turn.ts';

/** How a mission gets its plan, and another one. */

/** A plan that somebody gave takes the place of the planning, with the tiers that the mission wants over it. */
export function adoptPlan(turn: Turn, given: Plan, made_by: 'mission' | 'orchestrator'): void {
  const { plan, notes } = tiered(turn.state, given, turn.written);
  adopt(turn, plan, made_by, notes);
}

/** The first tasks of the plan are assigned, unless a person has to approve it. */
function adopt(
  turn: Turn,
  plan: Plan,
  made_by: 'mission' | 'orchestrator' | 'heuristic',
  notes: readonly string[],
): void {
  const { waves } = plan;
  const tasks = [...plan.tasks, ...requestedBeside(turn.state, plan.tasks)];
  try {
    if (tasks.length > plan.tasks.length) checkSize(tasks, bytesOf(tasks));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    stop(turn, 'invalid_plan', error.message);
    return;
  }
  turn.add(own('plan_created', { tasks, waves: waves.length - 1, made_by, notes }));
  const { mission_id, policy, replans } = turn.state;
  if (policy.options.plan_only) {
    // Reactions may have begun something while it was planned.
    cancelTasks(turn, 'only the plan was asked for');
    const about = { tasks: tasks.length, attempts: 0, duration_ms: turn.now - turn.state.created_at };
    const result = `a plan of ${tasks.length} tasks`;
    turn.add(own('mission_completed', { ...about, result, missing: [], usage: turn.state.spent }));
    return;
  }
  if (policy.options.review === 'plan') {
    ask(turn, { kind: 'plan', review_id: `${mission_id}/plan/${replans}`, reason: `${tasks.length} tasks` });
    return;
  }
  release(turn);
}

/** A mission that is nothing but its reactions begins with an empty plan: all its tasks are asked for as it goes. */
export function planOfReactions(turn: Turn): void {
  const { waves } = indexPlan([]);
  turn.add(own('plan_created', { tasks: [], waves: waves.length - 1, made_by: 'reactions', notes: [] }));
}

/** The plan that needs no model takes the place of the planning. */
export function planFromHeuristics(turn: Turn, notes: readonly string[]): void {
  let made: MadePlan;
  try {
    made = heuristicPlan(turn.state, notes, turn.written);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    stop(turn, 'invalid_plan', error.message);
    return;
  }
  adopt(turn, apart(turn.state, made.plan), 'heuristic', made.notes);
}

export function takePlan(turn: Turn, result: string): void {
  const { state } = turn;
  let plan: Plan;
  try {
    const given = tasksInResult(result);
    plan =
      state.replans === 0
        ? apart(state, planFrom(given, state.policy, state.roles))
        : replanned(state, given);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    stop(turn, 'invalid_plan', error.message);
    return;
  }
  // Something failed while the planner thought: it has to know.
  const late = positionsOf(state, 'failed').some((failed) => named(state, failed).kind !== 'plan');
  if (late && (state.replans > 0 || state.policy.on_failure === 'replan')) {
    if (canReplan(state)) askForAnotherPlan(turn);
    else
      stop(
        turn,
        'task_failed',
        `failed during replanning: ${names(idsOf(state, positionsOf(state, 'failed')))}`,
      );
    return;
  }
  adoptPlan(turn, plan, 'orchestrator');
}

/** What has not begun is cancelled, what runs goes on, what is done stays done; the planner is asked about the rest. */
export function askForAnotherPlan(turn: Turn): void {
  for (const position of positionsOf(turn.state, 'pending')) {
    // What a reaction asked for is no part of the plan that failed.
    if (turn.state.plan?.tasks[position]?.caused_by !== '') continue;
    cancelTask(turn, position, 'the mission is planned anew');
  }
  let plan: Plan;
  try {
    plan = replanning(turn.state);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    stop(turn, 'invalid_plan', `no room to plan anew: ${error.message}`);
    return;
  }
  const { tasks, waves } = plan;
  turn.add(own('plan_created', { tasks, waves: waves.length - 1, made_by: 'replanning', notes: [] }));
  release(turn);
}
