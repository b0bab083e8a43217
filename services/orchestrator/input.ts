import type { Emission, EventOf, MissionPolicy, ParentTask, Priority, TaskSpec } from '#schemas/types.gen.ts';
import type { FactDraft } from './facts.ts';
import type { MissionState } from './state.ts';

/** What the orchestrator decides on, and what a decision is. */

/** What agents report of a task. */
export type TaskReportType =
  | 'task_started'
  | 'task_completed'
  | 'task_attempt_failed'
  | 'task_released'
  | 'review_requested'
  | 'safety_violation'
  | AgentReportType;
/** What an agent says in the middle of its task, or instead of an end. */
export type AgentReportType =
  | 'agent_handoff'
  | 'dependency_required'
  | 'dependency_resolved'
  | 'decision_recorded'
  | 'checkpoint_created'
  | 'context_synced';
/** What is reported about a mission, and belongs to no attempt. */
export type ReactionReportType =
  | 'event_emitted'
  | 'error_raised'
  | 'task_requested'
  | 'pause_requested'
  | 'aggregation_started'
  | 'aggregation_completed'
  | 'aggregation_timed_out'
  | 'reactions_settled'
  | 'role_unavailable';
export type ReportType = TaskReportType | ReactionReportType;
export type ReportEvent = EventOf<ReportType>;
/** An event that a task emits is a report of it, as all that it says. */
export type TaskReport = EventOf<TaskReportType | 'event_emitted'>;
export type ReactionReport = EventOf<ReactionReportType>;

export interface SubmitInput {
  readonly kind: 'submit';
  readonly mission_id: string;
  readonly name: string;
  readonly brief: string;
  /** Empty: the role `orchestrator` makes a plan of the brief. */
  readonly tasks: readonly TaskSpec[];
  readonly policy: MissionPolicy;
  readonly priority: Priority;
  readonly traceparent: string;
  /** Roles that a plan made for this mission may use; empty: not restricted. */
  readonly roles: readonly string[];
  readonly parent: ParentTask | null;
  readonly depth: number;
  /** The version of the rules by which the mission is decided. */
  readonly rules: number;
}
/** A submission that cannot even be read as a mission. */
export interface RefuseInput {
  readonly kind: 'refuse';
  readonly mission_id: string;
  readonly priority: Priority;
  readonly code: string;
  readonly message: string;
  readonly parent: ParentTask | null;
}
export interface CancelInput {
  readonly kind: 'cancel';
  readonly reason: string;
  readonly by: string;
}
/**
 * The mission cannot go on: the shell found that what would follow from another input does not fit into its records
 * (`prepare.ts`). Its own fact is `mission_failed`, or the `undoing_started` that comes before.
 */
export interface FailInput {
  readonly kind: 'fail';
  readonly code: 'mission_too_large';
  readonly message: string;
  /** Whether what was done is undone first. */
  readonly undo: boolean;
}
/** A person puts an event onto the mission's ledger. */
export interface EmitInput {
  readonly kind: 'emit';
  readonly emission: Emission;
  readonly by: string;
}
/** A person's answer to a review. */
export interface ReviewInput {
  readonly kind: 'review';
  readonly review_id: string;
  readonly decision: string;
  readonly arguments_hash: string;
  readonly reviewer: string;
  readonly comment: string;
}
export interface ReportInput {
  readonly kind: 'report';
  readonly event: ReportEvent;
}
export type TimerKind = 'lease' | 'timeout' | 'retry' | 'deadline' | 'review' | 'aggregation';
export interface TimerInput {
  readonly kind: 'timer';
  readonly timer: TimerKind;
  /** Empty for what belongs to the whole mission; attempt and lease are 0 then. */
  readonly task_id: string;
  readonly attempt: number;
  readonly lease: number;
  /** Epoch ms. */
  readonly due_at: number;
  /** Of a review, else empty. */
  readonly review_id: string;
  /** Of an aggregator, else empty. */
  readonly aggregation: string;
}
export type Input =
  | SubmitInput
  | RefuseInput
  | CancelInput
  | FailInput
  | EmitInput
  | ReviewInput
  | ReportInput
  | TimerInput;

/** Why an input changes nothing; counted by the shell. */
export type IgnoreReason =
  | 'MissionAlreadyKnown'
  | 'MissionUnknown'
  | 'MissionEnded'
  /** Its changelog contradicts itself. */
  | 'MissionSetAside'
  | 'TaskUnknown'
  | 'TaskEnded'
  | 'NotAssigned'
  | 'NotStarted'
  | 'AttemptEnded'
  | 'AttemptStale'
  | 'LeaseStale'
  | 'AlreadyStarted'
  /** A later step of the attempt has been reported. */
  | 'AlreadySaid'
  | 'AlreadyRequested'
  | 'AggregationUnknown'
  /** The ledger has gone on since. */
  | 'NotSettled'
  | 'NotRunning'
  /** A mission that is being undone ends when that is done. */
  | 'AlreadyUndoing'
  | 'ReviewUnknown'
  | 'ReviewExpired'
  /** The answer is for other arguments than those that were asked about. */
  | 'ReviewDiffers'
  | 'DecisionUnknown'
  | 'TimerStale';

export type Decision =
  /** `state` is the state before with all the facts folded in. */
  | { readonly kind: 'facts'; readonly facts: readonly FactDraft[]; readonly state: MissionState }
  | { readonly kind: 'ignored'; readonly reason: IgnoreReason };

export const ignore = (reason: IgnoreReason): Decision => ({ kind: 'ignored', reason });

const ofTasks: Readonly<Record<TaskReportType, true>> = {
  task_started: true,
  task_completed: true,
  task_attempt_failed: true,
  task_released: true,
  review_requested: true,
  safety_violation: true,
  agent_handoff: true,
  dependency_required: true,
  dependency_resolved: true,
  decision_recorded: true,
  checkpoint_created: true,
  context_synced: true,
};

export const isTaskReport = (event: ReportEvent): event is TaskReport =>
  event.event_type === 'event_emitted'
    ? event.payload.task_id !== ''
    : Object.hasOwn(ofTasks, event.event_type);
