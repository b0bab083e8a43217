import type { FactEvent } from '#orchestrator/facts.ts';
import type { PayloadOf, ReactingTask, TaskSpec } from '#schemas/types.gen.ts';
import { isEndOf, startOf } from './joins.ts';
import { type Correlation, reacts } from './state.ts';

/**
 * What a fact says about the mission: its tasks, and whether it has a plan. A fact that was folded before changes
 * nothing. What the correlator itself makes of a fact is folded by `decide`.
 */
export function evolve(state: Correlation, fact: FactEvent): Correlation {
  if (fact.sequence <= state.sequence) return state;
  const reports = state.reports.has(fact.causation_id)
    ? new Set([...state.reports].filter((id) => id !== fact.causation_id))
    : state.reports;
  return after({ ...state, sequence: fact.sequence, reports }, fact);
}

function after(state: Correlation, fact: FactEvent): Correlation {
  switch (fact.event_type) {
    case 'mission_accepted':
      return begin(state, fact);
    case 'plan_created':
      return planned(state, fact.payload.tasks);
    case 'task_requested':
      return withTask(state, taskOf(fact.payload.task));
    case 'task_assigned':
      return assigned(state, fact.payload);
    case 'dependency_required':
      return changed(state, fact.payload.task_id, { doing: 'waits' });
    case 'dependency_resolved':
      return answered(state, fact.payload.task_id);
    case 'agent_handoff':
      // The other role gets it when there is room and budget.
      return changed(state, fact.payload.task_id, { doing: '' });
    case 'timer_fired':
      return fact.payload.timer === 'retry' ? changed(state, fact.payload.task_id, { doing: '' }) : state;
    case 'error_raised':
      if (fact.payload.code === 'dependency_unavailable') return answered(state, fact.payload.task_id);
      return refused(state, fact);
    case 'task_completed':
    case 'task_failed':
    case 'task_cancelled':
      return ended(state, fact.payload.task_id);
    case 'compensation_started':
      // It will fail when all is undone, and waits for nothing else.
      return { ...state, planned: false };
    case 'event_emitted': {
      const { name, task_id, subscription } = fact.payload;
      const next = task_id === '' && subscription === '' ? state.own?.events[state.begun] : undefined;
      return next === name ? { ...state, begun: state.begun + 1 } : state;
    }
    default:
      return state;
  }
}

function begin(state: Correlation, { payload }: Extract<FactEvent, { event_type: 'mission_accepted' }>) {
  const { tasks, policy } = payload;
  const { subscriptions, aggregators, events, max_hops } = policy.options;
  const hops = Math.max(0, ...tasks.map((task) => task.hops));
  const ordinary = subscriptions.length + aggregators.length + max_hops === 0;
  const own = {
    subscriptions,
    aggregators,
    events: events.map(({ name }) => name),
    on_failure: policy.on_failure,
    max_hops,
  };
  return { ...state, hops, own: ordinary ? null : own };
}

/** What has ended has ended in the new plan, too; and what a reaction asked for survives any plan. */
function planned(state: Correlation, specs: readonly TaskSpec[]): Correlation {
  const tasks = new Map<string, ReactingTask>();
  for (const spec of specs) {
    const task = taskOf(spec);
    const before = state.tasks.get(task.id);
    const { ended, doing } = before ?? task;
    if (isKept(state, task)) tasks.set(task.id, { ...task, ended, doing });
  }
  for (const [id, task] of state.tasks) if (task.hops > 0 && !tasks.has(id)) tasks.set(id, task);
  const planning = [...tasks.values()].some((task) => task.planning && !task.ended);
  return { ...state, tasks, planned: !planning };
}

const taskOf = ({ id, kind, hops }: TaskSpec): ReactingTask => ({
  id,
  ended: false,
  planning: kind === 'plan',
  hops,
  doing: '',
});

const isKept = (state: Correlation, task: ReactingTask): boolean => reacts(state) || task.hops > 0;

function withTask(state: Correlation, task: ReactingTask): Correlation {
  return isKept(state, task) ? { ...state, tasks: new Map(state.tasks).set(task.id, task) } : state;
}

function changed(state: Correlation, id: string, change: Partial<ReactingTask>): Correlation {
  const task = state.tasks.get(id);
  if (task === undefined) return state;
  const next = { ...task, ...change };
  if (next.ended === task.ended && next.doing === task.doing) return state;
  return { ...state, tasks: new Map(state.tasks).set(id, next) };
}

/** What had ended may be taken up again. The first planner is in no plan, and is known by its assignment. */
function assigned(state: Correlation, { task_id: id, kind }: PayloadOf<'task_assigned'>): Correlation {
  const known = state.tasks.has(id) || kind !== 'plan';
  const next = known ? state : withTask(state, { id, ended: false, planning: true, hops: 0, doing: '' });
  return changed(next, id, { ended: false, doing: 'busy' });
}

/** What waited is given its answer: the value of what it waits for, or that there will be none. */
const answered = (state: Correlation, id: string): Correlation =>
  state.tasks.get(id)?.doing === 'waits' ? changed(state, id, { doing: '' }) : state;

/**
 * The orchestrator does not take an aggregator that was reported as begun: it has no timer, and no end of it will count.
 * What was reported of its end meanwhile comes to nothing.
 */
function refused(
  state: Correlation,
  { payload, causation_id }: Extract<FactEvent, { event_type: 'error_raised' }>,
) {
  const { subscription: name, trigger } = payload;
  const join = state.joins.get(name);
  if (join === undefined || causation_id !== startOf(trigger, name)) return state;
  const reports = new Set([...state.reports].filter((id) => !isEndOf(id, name)));
  return {
    ...state,
    reports,
    joins: new Map(state.joins).set(name, { ...join, status: 'refused' as const }),
  };
}

function ended(state: Correlation, id: string): Correlation {
  const next = changed(state, id, { ended: true, doing: '' });
  // The plan that it made follows, in the same decision.
  return state.tasks.get(id)?.planning === true ? { ...next, planned: false } : next;
}
