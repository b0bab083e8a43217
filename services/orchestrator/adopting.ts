import { Failure } from '#chassis/failures.ts';
import { ask, release } from './assigning.ts';
import { cancelTask, cancelTasks, stop } from './ending.ts';
import { own } from './facts.ts';
import { type MadePlan, tiered } from './made-plans.ts';
import { bytesOf, checkSize, indexPlan, type Plan, planFrom } from './plan.ts';
import {
  fallbackTask,
  heuristicPlanner,
  needsNoModel,
  notesInResult,
  planTask,
  tasksInResult,
} from './planning.ts';
import { idsOf, named, names, positionsOf } from './positions.ts';
import { canReplan, replanned, replanning } from './replanning.ts';
import { apart, requestedBeside } from './requested-task.ts';
import { planWithoutModel, tiersAsWritten } from './rules-0.ts';
import type { Turn } from './turn.ts';

/** How a mission gets its plan, and another one. */

/** A plan that somebody gave takes the place of the planning, with the tiers that the mission wants over it. */
export function adoptPlan(turn: Turn, given: Plan, made_by: Planner, said: readonly string[] = []): void {
  const { plan, notes } = tiersAsWritten(turn, given) ?? tiered(turn.state, given);
  adopt(turn, plan, made_by, [...said, ...notes]);
}

type Planner = 'mission' | 'orchestrator' | 'heuristic';

/** The first tasks of the plan are assigned, unless a person has to approve it. */
function adopt(turn: Turn, plan: Plan, made_by: Planner, notes: readonly string[]): void {
  if (!created(turn, plan, made_by, notes)) return;
  const { tasks } = turn.state;
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

/** The plan stands, and beside it what reactions have asked for; false: there is no room for both, and the mission fails. */
function created(turn: Turn, plan: Plan, made_by: Planner | 'fallback', notes: readonly string[]): boolean {
  const tasks = [...plan.tasks, ...requestedBeside(turn.state, plan.tasks)];
  try {
    if (tasks.length > plan.tasks.length) checkSize(tasks, bytesOf(tasks));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    stop(turn, 'invalid_plan', error.message);
    return false;
  }
  turn.add(own('plan_created', { tasks, waves: plan.waves.length - 1, made_by, notes }));
  return true;
}

/** A mission that is nothing but its reactions begins with an empty plan: all its tasks are asked for as it goes. */
export function planOfReactions(turn: Turn): void {
  const { waves } = indexPlan([]);
  turn.add(own('plan_created', { tasks: [], waves: waves.length - 1, made_by: 'reactions', notes: [] }));
}

/** No model could plan: the planner that needs none is asked. */
export function askHeuristics(turn: Turn, why: string): void {
  const { brief, policy } = turn.state;
  const plan = indexPlan([{ ...planTask(fallbackTask, brief, policy), model: heuristicPlanner }]);
  if (created(turn, plan, 'fallback', [why])) release(turn);
}

/** Of rules 0: the plan that needs no model takes the place of the planning. */
export function planFromHeuristics(turn: Turn, notes: readonly string[]): void {
  let made: MadePlan;
  try {
    made = planWithoutModel(turn, notes);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    stop(turn, 'invalid_plan', error.message);
    return;
  }
  adopt(turn, apart(turn.state, made.plan), 'heuristic', made.notes);
}

/** The result of the planning task at this position takes its place. */
export function takePlan(turn: Turn, position: number, result: string): void {
  const { state } = turn;
  const heuristic = needsNoModel(state.plan?.tasks[position]);
  let plan: Plan;
  let notes: readonly string[] = [];
  try {
    const given = tasksInResult(result);
    if (heuristic) notes = notesInResult(result);
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
  adoptPlan(turn, plan, heuristic ? 'heuristic' : 'orchestrator', notes);
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
