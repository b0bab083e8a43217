import type { FactEvent } from '#orchestrator/facts.ts';
import type { ReactingTask, TaskSpec } from '#schemas/types.gen.ts';
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
      // What had ended may be taken up again.
      return changed(state, fact.payload.task_id, { ended: false });
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
    if (isKept(state, task)) tasks.set(task.id, { ...task, ended: before?.ended ?? false });
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
});

const isKept = (state: Correlation, task: ReactingTask): boolean => reacts(state) || task.hops > 0;

function withTask(state: Correlation, task: ReactingTask): Correlation {
  return isKept(state, task) ? { ...state, tasks: new Map(state.tasks).set(task.id, task) } : state;
}

function changed(state: Correlation, id: string, change: Partial<ReactingTask>): Correlation {
  const task = state.tasks.get(id);
  if (task === undefined || task.ended === (change.ended ?? task.ended)) return state;
  return { ...state, tasks: new Map(state.tasks).set(id, { ...task, ...change }) };
}

function ended(state: Correlation, id: string): Correlation {
  const next = changed(state, id, { ended: true });
  // The plan that it made follows, in the same decision.
  return state.tasks.get(id)?.planning === true ? { ...next, planned: false } : next;
}
