import { Failure } from '#chassis/failures.ts';
import type { ReviewAnswer, TaskSpec } from '#schemas/types.gen.ts';
import { booked } from './budget.ts';
import { checkpointOf, handedOver, nameOf, withProvided, withShared } from './context.ts';
import type { FactDraft, FactEnvelope } from './facts.ts';
import type { AgentReportType, ReactionReportType } from './input.ts';
import { bytesOf, indexPlan, mostBytes, type Plan } from './plan.ts';
import { type MissionState, newTask, type TaskState } from './state.ts';

/** What we know after agents have said something to each other, or a reaction was reported. */

export type CoordinationFact = Extract<
  FactDraft,
  { readonly event_type: AgentReportType | ReactionReportType }
>;

/** Throws Failure `ledger_broken` for a fact that cannot follow on this state. */
export function coordinated(
  state: MissionState,
  fact: CoordinationFact,
  { timestamp: at, correlation_id }: FactEnvelope,
): MissionState {
  const now = { ...state, updated_at: at };
  const ofTask = (task_id: string): { position: number; task: TaskState; spec: TaskSpec; plan: Plan } => {
    const position = state.plan?.index.get(task_id) ?? -1;
    const task = state.tasks[position];
    const spec = state.plan?.tasks[position];
    if (state.plan === null || task === undefined || spec === undefined) {
      const message = `${fact.event_type} of mission ${correlation_id}: no task ${task_id}`;
      throw new Failure('ledger_broken', message);
    }
    return { position, task, spec, plan: state.plan };
  };
  const withTask = (task_id: string, change: Partial<TaskState>): MissionState => {
    const { position, task } = ofTask(task_id);
    return { ...now, tasks: state.tasks.with(position, { ...task, ...change }) };
  };

  switch (fact.event_type) {
    case 'agent_handoff': {
      const { task_id, to_role, usage, duration_ms } = fact.payload;
      const { position, task, spec, plan } = ofTask(task_id);
      const room = mostBytes - bytesOf(plan.tasks) + Buffer.byteLength(spec.context);
      const passed = { ...spec, role: to_role, context: handedOver(spec, fact.payload, room) };
      return {
        ...withTask(task_id, { ...unassigned, status: 'pending', handoffs: task.handoffs + 1 }),
        ...booked(state, position, { usage, duration_ms, at }),
        plan: { ...plan, tasks: plan.tasks.with(position, passed) },
      };
    }
    case 'dependency_required': {
      const { task_id, dependency, step } = fact.payload;
      const { task } = ofTask(task_id);
      // The clock stands still while it waits, as it does while a person is asked.
      return withTask(task_id, {
        status: 'parked',
        lease_until: 0,
        timeout_at: 0,
        timeout_left: Math.max(1, task.timeout_at - at),
        waiting_for: nameOf(dependency),
        reported: step,
      });
    }
    case 'dependency_resolved': {
      const { task_id, dependency, value, step } = fact.payload;
      const { task } = ofTask(task_id);
      if (task.waiting_for !== '' && task.waiting_for === nameOf(dependency)) {
        return withTask(task_id, told(task, 'resolved', value));
      }
      const provided = withProvided(state.provided, dependency, value);
      return { ...withTask(task_id, { reported: step }), provided };
    }
    case 'decision_recorded':
      return withTask(fact.payload.task_id, { reported: fact.payload.step });
    case 'checkpoint_created': {
      const { task_id, step } = fact.payload;
      const checkpoint = checkpointOf(state.tasks, ofTask(task_id).position, fact.payload);
      return withTask(task_id, { reported: step, checkpoint });
    }
    case 'context_synced': {
      const { task_id, step, scope, content } = fact.payload;
      const shared = withShared(state.shared, scope, content);
      return { ...withTask(task_id, { reported: step }), shared };
    }
    case 'event_emitted': {
      const { task_id, step } = fact.payload;
      return task_id === '' ? now : withTask(task_id, { reported: step });
    }
    case 'error_raised': {
      const { task_id, code, message } = fact.payload;
      if (code !== 'dependency_unavailable' || task_id === '') return now;
      const { task } = ofTask(task_id);
      return task.waiting_for === '' ? now : withTask(task_id, told(task, 'unavailable', message));
    }
    case 'task_requested': {
      const plan = indexPlan([...(state.plan?.tasks ?? []), fact.payload.task]);
      return { ...now, plan, tasks: [...state.tasks, newTask] };
    }
    case 'aggregation_started': {
      const { aggregation, due_at } = fact.payload;
      return { ...now, joins: [...state.joins, { aggregation, due_at: Math.max(0, due_at) }] };
    }
    case 'aggregation_completed':
    case 'aggregation_timed_out': {
      // Its name stays known, so that the same start, reported twice, does not begin it anew.
      return { ...now, joins: joinsWith(state, fact.payload.aggregation, joinEnded) };
    }
    case 'pause_requested':
    case 'reactions_settled':
    case 'role_unavailable':
      return now;
    default: {
      const unknown: never = fact;
      return unknown;
    }
  }
}

/** The timer of a join has fired: it stays open until the correlator has said what was missing, and fires no more. */
export function joinFired(state: MissionState, aggregation: string, at: number): MissionState {
  return { ...state, joins: joinsWith(state, aggregation, 0), updated_at: at };
}

/** In place of when it is due. */
const joinEnded = -1;

const joinsWith = ({ joins }: MissionState, aggregation: string, due_at: number) =>
  joins.map((join) => (join.aggregation === aggregation ? { ...join, due_at } : join));

/** An aggregator that has begun and not ended. */
export const openJoin = ({ joins }: MissionState, aggregation: string) =>
  joins.find((join) => join.aggregation === aggregation && join.due_at !== joinEnded);

/** What a task that waited goes on with: the answer to the call that it waits in. */
function told(task: TaskState, decision: 'resolved' | 'unavailable', comment: string): Partial<TaskState> {
  const review_id = `dependency/${task.waiting_for}`;
  const answer: ReviewAnswer = { review_id, step: task.reported, arguments_hash: '', decision, comment };
  return { waiting_for: '', answers: [...task.answers, answer] };
}

const unassigned = {
  agent: '',
  lease_until: 0,
  timeout_at: 0,
  timeout_left: 0,
  retry_at: 0,
  reserved: null,
  answers: [],
  code: '',
  message: '',
} as const;
