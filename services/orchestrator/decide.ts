import { asFailure, Failure } from '#chassis/failures.ts';
import type { MissionPolicy } from '#schemas/types.gen.ts';
import { adoptPlan, planFromHeuristics, planOfReactions } from './adopting.ts';
import { answer, unanswered } from './answering.ts';
import { release } from './assigning.ts';
import { spentInFull } from './budget.ts';
import { beginUndoing } from './compensating.ts';
import { cut } from './cut.ts';
import { cancelTasks, failAtOnce, mostResult } from './ending.ts';
import { own } from './facts.ts';
import { deadline, taskTimer } from './firing.ts';
import {
  type CancelInput,
  type Decision,
  type FailInput,
  type Input,
  ignore,
  isTaskReport,
  type RefuseInput,
  type SubmitInput,
} from './input.ts';
import { type Plan, planFrom } from './plan.ts';
import { planningPlan } from './planning.ts';
import { deepestMission } from './policy.ts';
import { emit, nobody, overdue, react } from './reacting.ts';
import { report } from './reporting.ts';
import { reacts } from './settling.ts';
import { type MissionState, missionHasEnded } from './state.ts';
import { type Deciding, Turn } from './turn.ts';
import { hasToUndo } from './undoing.ts';

/**
 * What follows from an input: first the input's own fact, then what it leads to. Pure: the same state, input and time
 * give the same facts. `now` must not be before the state's `updated_at`.
 */
export function decide(state: MissionState | null, input: Input, deciding: Deciding): Decision {
  const { now } = deciding;
  if (input.kind === 'submit' || input.kind === 'refuse') {
    return state === null ? begin(input, deciding) : ignore('MissionAlreadyKnown');
  }
  if (state === null) return ignore('MissionUnknown');
  if (missionHasEnded(state)) return ignore('MissionEnded');
  if (now < state.updated_at) {
    const message = `mission ${state.mission_id}: found time ${now}, expected at least ${state.updated_at}`;
    throw new Failure('internal_error', message);
  }
  const turn = new Turn(state, deciding);
  switch (input.kind) {
    case 'cancel':
      return cancel(turn, input);
    case 'fail':
      return failWith(turn, input);
    case 'emit':
      return emit(turn, input);
    case 'review':
      return answer(turn, input);
    case 'report':
      return isTaskReport(input.event) ? report(turn, input.event) : react(turn, input.event);
    case 'timer':
      switch (input.timer) {
        case 'deadline':
          return deadline(turn, input);
        case 'review':
          return unanswered(turn, input);
        case 'aggregation':
          return overdue(turn, input);
        default:
          return taskTimer(turn, input);
      }
    default: {
      const unknown: never = input;
      throw new Failure('internal_error', `not an input: ${JSON.stringify(unknown)}`);
    }
  }
}

/** Without tasks and without a planner all that can happen is a reaction. */
function checkReacting(policy: MissionPolicy): void {
  const { plan_only } = policy.options;
  if (plan_only) throw new Failure('invalid_mission', 'options.plan_only: found it, and the planner none');
  if (reacts({ policy })) return;
  const expected = 'expected subscriptions or aggregators, or another planner';
  throw new Failure('invalid_mission', `options.planner: found none, and no tasks; ${expected}`);
}

function begin(input: SubmitInput | RefuseInput, deciding: Deciding): Decision {
  const { mission_id, priority } = input;
  const envelope = { correlation_id: mission_id, priority, timestamp: deciding.now };
  const reject = (code: string, message: string) =>
    Turn.begin(
      own('mission_rejected', { code, message, parent: input.parent }),
      envelope,
      deciding,
    ).decision();
  if (input.kind === 'refuse') return reject(input.code, input.message);

  const { name, brief, tasks, policy, traceparent, roles, parent, depth, rules } = input;
  const { planner, events } = policy.options;
  if (depth > deepestMission) {
    return reject('too_deep', `found ${depth} missions above this one, expected at most ${deepestMission}`);
  }
  let plan: Plan | null;
  try {
    // What the brief asks for is only known once there is a plan, but an empty one is refused at once.
    plan = tasks.length > 0 ? planFrom(tasks, policy) : null;
    if (plan === null && planner !== 'none') planningPlan(brief, policy);
    if (plan === null && planner === 'none') checkReacting(policy);
  } catch (error) {
    const { code, message } = asFailure(error);
    return reject(code, message);
  }
  const accepted = { name, brief, policy, tasks, traceparent, roles, parent, depth, rules };
  const turn = Turn.begin(own('mission_accepted', accepted), envelope, deciding);
  if (plan !== null) adoptPlan(turn, plan, 'mission');
  else if (planner === 'none') planOfReactions(turn);
  else if (planner === 'heuristic' && rules === 0) planFromHeuristics(turn, []);
  else release(turn);
  // Behind the plan, so that what reacts to them has a plan to add to.
  for (const emission of missionHasEnded(turn.state) ? [] : events) {
    turn.add(own('event_emitted', { ...emission, ...nobody, subscription: '', trigger: '', hops: 0 }));
  }
  return turn.decision();
}

function cancel(turn: Turn, { reason, by }: CancelInput): Decision {
  if (turn.state.undoing !== '') return ignore('AlreadyUndoing');
  if (hasToUndo(turn.state)) {
    beginUndoing(turn, { code: 'aborted', message: reason, cancelled_by: by });
    return turn.decision();
  }
  const completed = turn.state.tasks.filter((task) => task.status === 'completed').length;
  // The tasks that are cancelled with it only follow, but what is booked for them is part of its books.
  const usage = spentInFull(turn.state);
  turn.add(own('mission_cancelled', { reason, cancelled_by: by, completed, usage, compensated: [] }));
  cancelTasks(turn, 'the mission was cancelled');
  return turn.decision();
}

/** As far as it depends on this there is nothing to be decided: only whether there is anything to undo. */
function failWith(turn: Turn, { code, message, undo }: FailInput): Decision {
  if (undo && turn.state.undoing === '' && hasToUndo(turn.state)) {
    beginUndoing(turn, { code, message: cut(message, mostResult), cancelled_by: null });
  } else failAtOnce(turn, code, message);
  return turn.decision();
}
