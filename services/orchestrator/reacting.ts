import { asFailure } from '#chassis/failures.ts';
import type { EventOf, PayloadOf, TaskSpec } from '#schemas/types.gen.ts';
import { ask, release, releaseWithout } from './assigning.ts';
import { mostGiven } from './context.ts';
import { cut } from './cut.ts';
import { finish } from './ending.ts';
import { openJoin } from './evolve-coordination.ts';
import type { FactDraft } from './facts.ts';
import { type Decision, type EmitInput, ignore, type ReactionReport, type TimerInput } from './input.ts';
import { requestedTask } from './requested-task.ts';
import { isPaused, settles } from './settling.ts';
import { type MissionState, taskHasEnded } from './state.ts';
import { fired } from './timers.ts';
import type { Turn } from './turn.ts';

/** What the correlator reports, and what people put onto the ledger. */

/** Aggregators of one mission, standing ones among them. Each begins once. */
const mostJoins = 256;
const defaultHops = 16;

/** Reactions to reactions, one after another. */
export const mostHops = ({ policy }: Pick<MissionState, 'policy'>): number =>
  policy.options.max_hops || defaultHops;

/** No task speaks. */
export const nobody = { task_id: '', attempt: 0, lease: 0, agent: '', step: 0 };

export function react(turn: Turn, event: ReactionReport): Decision {
  const { state } = turn;
  const { source_agent, target_agent } = event;
  const between = { source_agent, target_agent };
  switch (event.event_type) {
    case 'task_requested':
      return taskRequested(turn, event);
    case 'event_emitted': {
      const { payload } = event;
      if (payload.hops > mostHops(state)) {
        return refuse(turn, event, { code: 'hop_limit', message: beyond(state, payload.hops, payload.name) });
      }
      const said = { ...payload, ...nobody };
      turn.add({ event_type: event.event_type, source_agent, target_agent: 'squad', payload: said });
      break;
    }
    case 'pause_requested': {
      turn.add({ event_type: event.event_type, ...between, payload: event.payload });
      // One question at a time: a person who looks sees all of it. What is half undone does not wait for one.
      if (isPaused(state) || state.undoing !== '') break;
      const review_id = `${state.mission_id}/pause/${turn.state.sequence}`;
      ask(turn, { kind: 'pause', review_id, reason: event.payload.reason });
      break;
    }
    case 'aggregation_started': {
      const { aggregation } = event.payload;
      if (state.joins.some((join) => join.aggregation === aggregation)) return ignore('AlreadyRequested');
      if (state.joins.length >= mostJoins) {
        const message = `aggregator ${aggregation}: found ${mostJoins} others that wait, which is the most`;
        return refuse(turn, event, { code: 'invalid_payload', message });
      }
      turn.add({ event_type: event.event_type, ...between, payload: event.payload });
      break;
    }
    case 'aggregation_completed':
    case 'aggregation_timed_out':
      if (openJoin(state, event.payload.aggregation) === undefined) return ignore('AggregationUnknown');
      turn.add({ event_type: event.event_type, ...between, payload: event.payload } as FactDraft);
      break;
    case 'reactions_settled':
      if (!settles(state, event.payload.up_to)) return ignore('NotSettled');
      turn.add({ event_type: event.event_type, ...between, payload: event.payload });
      if (state.tasks.every(taskHasEnded)) finish(turn);
      else releaseWithout(turn);
      break;
    case 'error_raised':
    case 'role_unavailable':
      turn.add({ event_type: event.event_type, ...between, payload: event.payload } as FactDraft);
      break;
    default:
      event satisfies never;
  }
  return turn.decision();
}

function taskRequested(turn: Turn, event: EventOf<'task_requested'>): Decision {
  const { state } = turn;
  const { source_agent, target_agent, payload } = event;
  const { task, trigger } = payload;
  if (state.plan?.index.has(task.id) === true) return ignore('AlreadyRequested');
  if (task.hops > mostHops(state)) {
    return refuse(turn, event, { code: 'hop_limit', message: beyond(state, task.hops, `task ${task.id}`) });
  }
  let requested: TaskSpec;
  try {
    const context = cut(task.context, mostGiven);
    requested = requestedTask(state, { ...task, context, caused_by: trigger });
  } catch (error) {
    return refuse(turn, event, asFailure(error, 'invalid_plan'));
  }
  turn.add({
    event_type: event.event_type,
    source_agent,
    target_agent,
    payload: { ...payload, task: requested },
  });
  release(turn);
  return turn.decision();
}

const beyond = (state: MissionState, hops: number, what: string): string =>
  `${what}: found ${hops} reactions one after another, expected at most ${mostHops(state)}`;

/** What cannot be done is said, so that people see why nothing follows. */
function refuse(
  turn: Turn,
  { source_agent, payload }: EventOf<'task_requested' | 'event_emitted' | 'aggregation_started'>,
  { code, message }: { readonly code: string; readonly message: string },
): Decision {
  const subscription = 'subscription' in payload ? payload.subscription : payload.aggregation;
  const about: PayloadOf<'error_raised'> = {
    task_id: '',
    code,
    message,
    where: subscription,
    severity: 'error',
    subscription,
    trigger: payload.trigger,
  };
  turn.add({ event_type: 'error_raised', source_agent, target_agent: 'person', payload: about });
  return turn.decision();
}

export function emit(turn: Turn, { emission, by }: EmitInput): Decision {
  const payload = { ...emission, ...nobody, subscription: '', trigger: '', hops: 0 };
  turn.add({ event_type: 'event_emitted', source_agent: by, target_agent: 'squad', payload });
  return turn.decision();
}

/** The timeout of an aggregator came due: what has been received by now is the correlator's to say. */
export function overdue(turn: Turn, timer: TimerInput): Decision {
  const join = openJoin(turn.state, timer.aggregation);
  if (join === undefined || join.due_at !== timer.due_at || timer.due_at > turn.now || join.due_at <= 0)
    return ignore('TimerStale');
  turn.add(fired(timer));
  return turn.decision();
}
