// Generated from schemas/**/*.avsc by `npm run schemas:generate`. Do not edit.

/** A role hands its task to another. */
export interface AgentHandoff extends Envelope {
  readonly event_type: 'agent_handoff';
  readonly payload: AgentHandoffPayload;
}

/** A role hands its task to another. */
export interface AgentHandoffPayload {
  readonly task_id: string;
  readonly from_role: string;
  readonly to_role: string;
  readonly context: string;
  readonly reason: string;
  /** Number of the try, from 1; 0: no task speaks. */
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  /** The call of the agent that reports it. */
  readonly step: number;
  /** Calls made in this attempt. */
  readonly steps: number;
  /** SHA-256 (hex) of the last record of the journal of this attempt; empty: nothing journaled. */
  readonly journal_hash: string;
  readonly usage: Usage;
  readonly duration_ms: number;
}

/** An agent is alive; the newest counts. */
export interface AgentHealth extends Envelope {
  readonly event_type: 'agent_health';
  readonly payload: AgentHealthPayload;
}

/** An agent is alive; the newest counts. */
export interface AgentHealthPayload {
  readonly agent: string;
  readonly service: string;
  readonly roles: readonly string[];
  readonly pid: number;
  readonly host: string;
  readonly state: string;
  /** Tasks it holds. */
  readonly running: number;
  /** Tasks it may hold. */
  readonly capacity: number;
  /** Epoch ms. */
  readonly started_at: number;
  readonly code_version: string;
  readonly pools: readonly AgentPool[];
  /** How it ended. */
  readonly reason: string;
  /** What a person should look at, a line each. */
  readonly problems: readonly string[];
}

/** What an agent does for one role. */
export interface AgentPool {
  readonly role: string;
  /** Tasks it holds. */
  readonly running: number;
  /** Tasks it may hold. */
  readonly capacity: number;
}

/** All answers that an aggregation waits for are there. */
export interface AggregationCompleted extends Envelope {
  readonly event_type: 'aggregation_completed';
  readonly payload: AggregationCompletedPayload;
}

/** All answers that an aggregation waits for are there. */
export interface AggregationCompletedPayload {
  /** Name of the aggregation. */
  readonly aggregation: string;
  /** Task ids that answered. */
  readonly received: readonly string[];
  /** Task ids that did not. */
  readonly missing: readonly string[];
  /** event_ids of what was received, in the order of the names. */
  readonly events: readonly string[];
  readonly hops: number;
}

/** An aggregator waits for events. */
export interface AggregationStarted extends Envelope {
  readonly event_type: 'aggregation_started';
  readonly payload: AggregationStartedPayload;
}

/** An aggregator waits for events. */
export interface AggregationStartedPayload {
  readonly aggregation: string;
  readonly expected: readonly string[];
  /** Epoch ms; 0: it has no timeout. */
  readonly due_at: number;
  /** The event_id that it began with. */
  readonly trigger: string;
}

/** An aggregation ended with answers missing. */
export interface AggregationTimedOut extends Envelope {
  readonly event_type: 'aggregation_timed_out';
  readonly payload: AggregationTimedOutPayload;
}

/** An aggregation ended with answers missing. */
export interface AggregationTimedOutPayload {
  /** Name of the aggregation. */
  readonly aggregation: string;
  /** Task ids that answered. */
  readonly received: readonly string[];
  /** Task ids that did not. */
  readonly missing: readonly string[];
  /** event_ids of what was received, in the order of the names. */
  readonly events: readonly string[];
  readonly hops: number;
}

/** Waits for a set of events of one mission. */
export interface Aggregator {
  readonly name: string;
  /** Each of them once, in any order. */
  readonly events: readonly EventPattern[];
  /** Counted from its start; 0: none. */
  readonly timeout_ms: number;
  readonly on_complete: Reaction | null;
  readonly on_timeout: Reaction | null;
}

/** Four things that models and agents use up. Of a limit, -1 means that there is none. */
export interface Amounts {
  /** Input, output and cache together. */
  readonly tokens: number;
  /** Calls of models. */
  readonly calls: number;
  /** Billionths of a US dollar. */
  readonly cost_nanos: number;
  /** Working time of agents, added up. */
  readonly time_ms: number;
}

/** A named state to come back to. */
export interface CheckpointCreated extends Envelope {
  readonly event_type: 'checkpoint_created';
  readonly payload: CheckpointCreatedPayload;
}

/** A named state to come back to. */
export interface CheckpointCreatedPayload {
  readonly task_id: string;
  readonly name: string;
  /** SHA-256 (hex) of the content. */
  readonly content_hash: string;
  readonly content: string;
  /** Number of the try, from 1; 0: no task speaks. */
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  /** The call of the agent that reports it. */
  readonly step: number;
}

/** How what a task did is undone. */
export interface Compensation {
  readonly description: string;
  readonly script: Script | null;
}

/** What a task did is undone. */
export interface CompensationCompleted extends Envelope {
  readonly event_type: 'compensation_completed';
  readonly payload: CompensationCompletedPayload;
}

/** What a task did is undone. */
export interface CompensationCompletedPayload {
  readonly task_id: string;
  /** The task that is undone. */
  readonly compensates: string;
}

/** What a task did could not be undone. */
export interface CompensationFailed extends Envelope {
  readonly event_type: 'compensation_failed';
  readonly payload: CompensationFailedPayload;
}

/** What a task did could not be undone. */
export interface CompensationFailedPayload {
  readonly task_id: string;
  /** The task that is undone. */
  readonly compensates: string;
  /** A code of the failure catalogue. */
  readonly code: string;
  /** For people. */
  readonly message: string;
}

/** A task undoes what another did. */
export interface CompensationStarted extends Envelope {
  readonly event_type: 'compensation_started';
  readonly payload: CompensationStartedPayload;
}

/** A task undoes what another did. */
export interface CompensationStartedPayload {
  readonly task_id: string;
  /** The task that is undone. */
  readonly compensates: string;
}

/** What must hold of a field of an event. */
export interface Condition {
  /** Dotted: payload.code, or data.story.id of an emitted event. */
  readonly path: string;
  /** eq, ne, in, gt, gte, lt, lte, matches (a pattern with *) or exists. */
  readonly op: string;
  /** JSON text; of in: an array. */
  readonly value: string;
}

/** Context that agents share has changed. */
export interface ContextSynced extends Envelope {
  readonly event_type: 'context_synced';
  readonly payload: ContextSyncedPayload;
}

/** Context that agents share has changed. */
export interface ContextSyncedPayload {
  readonly task_id: string;
  readonly scope: string;
  /** SHA-256 (hex) of the content. */
  readonly content_hash: string;
  readonly content: string;
  /** Number of the try, from 1; 0: no task speaks. */
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  /** The call of the agent that reports it. */
  readonly step: number;
}

/** What the correlator knows of a mission (changelog). */
export interface CorrelationState {
  readonly mission_id: string;
  /** Of the newest fact. */
  readonly sequence: number;
  /** Reactions that led to the mission itself. */
  readonly hops: number;
  /** It has a plan, and none is being made. */
  readonly planned: boolean;
  /** How many of the events that it begins with have come. */
  readonly begun: number;
  readonly tasks: readonly ReactingTask[];
  readonly joins: readonly Join[];
  readonly counts: readonly ReactionCount[];
  /** event_ids of reports that may still become facts. */
  readonly reports: readonly string[];
  /** In all. */
  readonly reactions: number;
}

/** A dead letter was put away for good. */
export interface DeadLetterArchived extends Envelope {
  readonly event_type: 'dead_letter_archived';
  readonly payload: DeadLetterArchivedPayload;
}

/** A dead letter was put away for good. */
export interface DeadLetterArchivedPayload {
  readonly dead_letter_id: string;
  readonly archived_by: string;
  readonly reason: string;
}

/** A person changed a dead letter. */
export interface DeadLetterEdited extends Envelope {
  readonly event_type: 'dead_letter_edited';
  readonly payload: DeadLetterEditedPayload;
}

/** A person changed a dead letter. */
export interface DeadLetterEditedPayload {
  readonly dead_letter_id: string;
  readonly edited_by: string;
  readonly reason: string;
  /** SHA-256 (hex) of the bytes as they came. */
  readonly original_hash: string;
  /** SHA-256 (hex) of the bytes after the edit. */
  readonly edited_hash: string;
  /** What changed, for people. */
  readonly difference: string;
}

/** A dead letter is left alone: it came back too often, or a person says so. */
export interface DeadLetterParked extends Envelope {
  readonly event_type: 'dead_letter_parked';
  readonly payload: DeadLetterParkedPayload;
}

/** A dead letter is left alone: it came back too often, or a person says so. */
export interface DeadLetterParkedPayload {
  /** <partition>-<offset> of the letter on the topic of dead letters. */
  readonly dead_letter_id: string;
  readonly parked_by: string;
  readonly reason: string;
  readonly redrive_count: number;
}

/** A record that nobody could process was put aside. */
export interface DeadLetterRecorded extends Envelope {
  readonly event_type: 'dead_letter_recorded';
  readonly payload: DeadLetterRecordedPayload;
}

/** A record that nobody could process was put aside. */
export interface DeadLetterRecordedPayload {
  readonly dead_letter_id: string;
  /** Where the record came from. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** A code of the failure catalogue. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  readonly attempts: number;
  /** Who could not process it. */
  readonly service: string;
  /** How often it was sent again before. */
  readonly redrive_count: number;
  /** event_id of the record; empty: it cannot be read. */
  readonly origin_event_id: string;
  readonly origin_event_type: string;
  /** As far as its key tells. */
  readonly mission_id: string;
  /** Of a topic of tasks. */
  readonly role: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 (hex) of the bytes. */
  readonly hash: string;
}

/** A dead letter was sent on again. */
export interface DeadLetterRedriven extends Envelope {
  readonly event_type: 'dead_letter_redriven';
  readonly payload: DeadLetterRedrivenPayload;
}

/** A dead letter was sent on again. */
export interface DeadLetterRedrivenPayload {
  readonly dead_letter_id: string;
  readonly redriven_by: string;
  readonly reason: string;
  /** Where it was sent. */
  readonly topic: string;
  readonly redrive_count: number;
  readonly partition: number;
  /** SHA-256 (hex) of the bytes that were sent. */
  readonly sent_hash: string;
  /** Written anew with the newest schema. */
  readonly upcast: boolean;
}

/** What was asked for was not done with this dead letter. */
export interface DeadLetterRefused extends Envelope {
  readonly event_type: 'dead_letter_refused';
  readonly payload: DeadLetterRefusedPayload;
}

/** What was asked for was not done with this dead letter. */
export interface DeadLetterRefusedPayload {
  /** <partition>-<offset> of the letter on the topic of dead letters. */
  readonly dead_letter_id: string;
  readonly action: string;
  readonly requested_by: string;
  /** A code of the failure catalogue. */
  readonly code: string;
  /** For people. */
  readonly message: string;
}

/** A person asks for something to be done with dead letters of one partition. */
export interface DeadLetterRequested extends Envelope {
  readonly event_type: 'dead_letter_requested';
  readonly payload: DeadLetterRequestedPayload;
}

/** A person asks for something to be done with dead letters of one partition. */
export interface DeadLetterRequestedPayload {
  /** redrive, edit, archive or park. */
  readonly action: string;
  /** Ids; all of one partition. */
  readonly letters: readonly string[];
  readonly requested_by: string;
  readonly reason: string;
  /** Letters a second that are sent; 0: as many as go. */
  readonly rate: number;
  /** Sends a parked letter, too. */
  readonly force: boolean;
  /** Of an edit: SHA-256 (hex) of the bytes that were edited. */
  readonly original_hash: string;
  /** Of an edit: the bytes from now on, as base64. */
  readonly edited: string;
  /** Of an edit: what changed, for people. */
  readonly difference: string;
}

/** An agent chose, and says why. */
export interface DecisionRecorded extends Envelope {
  readonly event_type: 'decision_recorded';
  readonly payload: DecisionRecordedPayload;
}

/** An agent chose, and says why. */
export interface DecisionRecordedPayload {
  readonly task_id: string;
  readonly decision: string;
  readonly reasons: readonly string[];
  /** What was not chosen. */
  readonly alternatives: readonly string[];
  /** Number of the try, from 1; 0: no task speaks. */
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  /** The call of the agent that reports it. */
  readonly step: number;
}

/** A task waits for something. */
export interface DependencyRequired extends Envelope {
  readonly event_type: 'dependency_required';
  readonly payload: DependencyRequiredPayload;
}

/** A task waits for something. */
export interface DependencyRequiredPayload {
  readonly task_id: string;
  readonly dependency: string;
  readonly reason: string;
  /** Number of the try, from 1; 0: no task speaks. */
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  /** The call of the agent that reports it. */
  readonly step: number;
}

/** What a task waited for is there. */
export interface DependencyResolved extends Envelope {
  readonly event_type: 'dependency_resolved';
  readonly payload: DependencyResolvedPayload;
}

/** What a task waited for is there. */
export interface DependencyResolvedPayload {
  readonly task_id: string;
  readonly dependency: string;
  readonly value: string;
  /** Number of the try, from 1; 0: no task speaks. */
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  /** The call of the agent that reports it. */
  readonly step: number;
}

/** How long something took, of all that did; ms. */
export interface Durations {
  readonly count: number;
  readonly total_ms: number;
  /** 0: none. */
  readonly min_ms: number;
  readonly max_ms: number;
}

/** An event that a mission, an agent or a reaction puts onto the ledger. */
export interface Emission {
  readonly name: string;
  /** A dotted name that filters can match. */
  readonly topic: string;
  /** info, warning, error or critical; empty: info. */
  readonly severity: string;
  /** JSON text. */
  readonly data: string;
}

/** What all events have in common; an event adds its event_type and payload. */
export interface Envelope {
  /** Unique; a fact has <mission>:<sequence>. */
  readonly event_id: string;
  readonly source_agent: string;
  readonly target_agent: string;
  readonly timestamp: number;
  /** Version of the envelope. */
  readonly version: number;
  /** The mission. */
  readonly correlation_id: string;
  /** The event_id of what caused this. */
  readonly causation_id: string;
  readonly priority: Priority;
  /** Number in its chain, from 1: the ledger of a mission, or the journal of an attempt; 0: in no chain. */
  readonly sequence: number;
  /** SHA-256 (hex) of the Avro body of the record before in the chain; empty in the first. */
  readonly previous_hash: string;
}

/** Something went wrong that people should see. */
export interface ErrorRaised extends Envelope {
  readonly event_type: 'error_raised';
  readonly payload: ErrorRaisedPayload;
}

/** Something went wrong that people should see. */
export interface ErrorRaisedPayload {
  readonly task_id: string;
  /** A code of the failure catalogue. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** The place that noticed it. */
  readonly where: string;
  /** info, warning, error or critical. */
  readonly severity: string;
  readonly subscription: string;
  /** The event_id that led to it. */
  readonly trigger: string;
}

/** A person, an agent, a mission or a reaction says something. */
export interface EventEmitted extends Envelope {
  readonly event_type: 'event_emitted';
  readonly payload: EventEmittedPayload;
}

/** A person, an agent, a mission or a reaction says something. */
export interface EventEmittedPayload {
  readonly name: string;
  /** A dotted name that filters can match. */
  readonly topic: string;
  /** info, warning, error or critical; empty: info. */
  readonly severity: string;
  /** JSON text. */
  readonly data: string;
  /** The task that says it; empty: none. */
  readonly task_id: string;
  /** Number of the try, from 1; 0: no task speaks. */
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  /** The call of the agent that reports it. */
  readonly step: number;
  /** What reacted; empty: nothing did. */
  readonly subscription: string;
  /** The event_id that it reacts to. */
  readonly trigger: string;
  readonly hops: number;
}

/** Which events are meant; what is empty is not looked at. */
export interface EventPattern {
  /** What people see of it; empty: its type. */
  readonly name: string;
  /** An event_type, or the name of an emitted event; * stands for any text. */
  readonly type: string;
  /** source_agent; * stands for any text. */
  readonly source: string;
  /** target_agent; * stands for any text. */
  readonly target: string;
  /** The least: info, warning, error or critical. */
  readonly severity: string;
  /** Of the Kafka topic, or the topic of an emitted event; * stands for any text. */
  readonly topic: string;
  /** All must hold. */
  readonly where: readonly Condition[];
}

/** What an agent learned and others may use. */
export interface InsightShared extends Envelope {
  readonly event_type: 'insight_shared';
  readonly payload: InsightSharedPayload;
}

/** What an agent learned and others may use. */
export interface InsightSharedPayload {
  /** The key under which the newest insight counts. */
  readonly pattern: string;
  readonly insight: string;
  readonly tags: readonly string[];
  /** Epoch ms; 0: never. */
  readonly expires_at: number;
}

/** An aggregator at work, or one that has ended. */
export interface Join {
  readonly aggregation: string;
  readonly expected: readonly string[];
  readonly received: readonly ReceivedEvent[];
  /** Epoch ms; 0: no timeout. */
  readonly due_at: number;
  /** Of the mission itself; false: a standing one. */
  readonly own: boolean;
  /** open, completed, timed_out or refused. */
  readonly status: string;
}

/** A new lease goes on with this journal; records of an older lease after this one do not count. */
export interface JournalResumed extends Envelope {
  readonly event_type: 'journal_resumed';
  readonly payload: JournalResumedPayload;
}

/** A new lease goes on with this journal; records of an older lease after this one do not count. */
export interface JournalResumedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** Number of the call within the attempt, from 1. */
  readonly step: number;
  /** The agent that makes the call. */
  readonly agent: string;
}

/** The orchestrator takes a mission on. */
export interface MissionAccepted extends Envelope {
  readonly event_type: 'mission_accepted';
  readonly payload: MissionAcceptedPayload;
}

/** The orchestrator takes a mission on. */
export interface MissionAcceptedPayload {
  readonly name: string;
  readonly brief: string;
  readonly policy: MissionPolicy;
  /** The plan as given; empty: a model has to make one. */
  readonly tasks: readonly TaskSpec[];
  /** W3C trace context of the submission. */
  readonly traceparent: string;
  /** Roles that a plan may use; empty: it was given. */
  readonly roles: readonly string[];
  readonly parent: ParentTask | null;
  /** Missions above this one. */
  readonly depth: number;
  /** The version of the rules by which this mission is decided. */
  readonly rules: number;
}

/** A person cancelled the mission. */
export interface MissionCancelled extends Envelope {
  readonly event_type: 'mission_cancelled';
  readonly payload: MissionCancelledPayload;
}

/** A person cancelled the mission. */
export interface MissionCancelledPayload {
  readonly reason: string;
  readonly cancelled_by: string;
  readonly completed: number;
  readonly usage: Usage;
  /** Ids of the tasks that were undone, in that order. */
  readonly compensated: readonly string[];
}

/** What a person tells the orchestrator; everything but what is meant may be left out: {"brief": "Deploy the platform"} starts a mission. */
export interface MissionCommand {
  readonly event_id: string;
  /** mission_submitted, mission_cancelled or review_completed. */
  readonly event_type: 'mission_submitted' | 'mission_cancelled' | 'review_completed' | 'event_emitted';
  readonly source_agent: string;
  readonly target_agent: string;
  readonly timestamp: number;
  /** Version of the envelope. */
  readonly version: number;
  /** The mission; empty in mission_submitted: an id is given to it. */
  readonly correlation_id: string;
  /** The event_id of what caused this. */
  readonly causation_id: string;
  readonly priority: Priority;
  readonly sequence: number;
  readonly previous_hash: string;
  readonly name: string;
  /** What is wanted, in plain words. */
  readonly brief: string;
  /** The plan; empty: a model makes one of the brief. */
  readonly tasks: readonly TaskSpec[];
  readonly limits: MissionLimits;
  /** What a failed task does to the rest: fail_fast, continue or replan. */
  readonly on_failure: string;
  /** Of a mission_cancelled. */
  readonly reason: string;
  /** Of a review_completed, like all that follow. */
  readonly review_id: string;
  readonly decision: string;
  /** What was decided on. */
  readonly arguments_hash: string;
  readonly comment: string;
  /** Null: all as by default. */
  readonly options: MissionOptions | null;
  readonly parent: ParentTask | null;
  readonly depth: number;
  /** Of event_emitted: what a person puts onto the ledger. */
  readonly event: Emission | null;
}

/** All tasks are completed. */
export interface MissionCompleted extends Envelope {
  readonly event_type: 'mission_completed';
  readonly payload: MissionCompletedPayload;
}

/** All tasks are completed. */
export interface MissionCompletedPayload {
  readonly tasks: number;
  readonly attempts: number;
  readonly duration_ms: number;
  readonly result: string;
  /** Tasks that did not complete, and whose absence the result accounts for. */
  readonly missing: readonly string[];
  readonly usage: Usage;
}

/** The mission ended without reaching its end. */
export interface MissionFailed extends Envelope {
  readonly event_type: 'mission_failed';
  readonly payload: MissionFailedPayload;
}

/** The mission ended without reaching its end. */
export interface MissionFailedPayload {
  /** A code of the failure catalogue. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  readonly failed_tasks: readonly string[];
  readonly completed: number;
  readonly duration_ms: number;
  readonly usage: Usage;
  /** Ids of the tasks that were undone, in that order. */
  readonly compensated: readonly string[];
  /** Of a mission that went on after a failure: what completed all the same. */
  readonly result: string;
}

/** What the person limits; 0 everywhere means the default. */
export interface MissionLimits {
  readonly max_in_flight: number;
  readonly task_timeout_ms: number;
  readonly lease_ms: number;
  readonly deadline_ms: number;
  readonly max_attempts: number;
}

/** How a mission is planned and what it may use up. */
export interface MissionOptions {
  /** Who plans a brief: model, heuristic, or auto (the heuristic where no model can be had); empty: auto. */
  readonly planner: string;
  /** Tasks that the heuristic planner aims at; 0: as many as the brief gives. */
  readonly agents: number;
  /** tiers: synthesizers and an executive over the tasks; none; empty: tiers where the mission gives no tasks. */
  readonly hierarchy: string;
  /** The mission ends when it has a plan. */
  readonly plan_only: boolean;
  /** plan: a person approves the plan before it runs. */
  readonly review: string;
  /** How often a failure is given back to the planner (on_failure replan); 0: twice. */
  readonly max_replans: number;
  readonly models: readonly RoleModel[];
  /** What the whole mission may use up; null: no limit. */
  readonly budget: Amounts | null;
  /** What is reserved for one attempt at a task; null: a tenth of the budget. */
  readonly per_task: Amounts | null;
  /** At the limit: stop, ask a person, or go on with the cheaper model; empty: stop. */
  readonly on_exhausted: string;
  /** How attempts are tried again. */
  readonly retries: readonly RetryRule[];
  /** What the files of roles said of it when the mission was submitted, each rule with its role; those of retries count before them. */
  readonly role_retries: readonly RetryRule[];
  readonly subscriptions: readonly Subscription[];
  readonly aggregators: readonly Aggregator[];
  /** Emitted when the mission begins. */
  readonly events: readonly Emission[];
  /** Reactions to reactions, one after another; 0: 16. */
  readonly max_hops: number;
}

/** The plan of a mission; written once, as the state around it changes often (changelog). */
export interface MissionPlan {
  readonly mission_id: string;
  readonly tasks: readonly TaskSpec[];
}

/** The limits of a mission, all defaults resolved. */
export interface MissionPolicy {
  /** Most tasks assigned or running at once. */
  readonly max_in_flight: number;
  readonly task_timeout_ms: number;
  /** How long an agent may be silent. */
  readonly lease_ms: number;
  /** Longest time of the whole mission. */
  readonly deadline_ms: number;
  readonly max_attempts: number;
  /** Delay before the second attempt; doubles from then on. */
  readonly retry_initial_ms: number;
  readonly retry_max_ms: number;
  /** What a failed task does to the rest: fail_fast, continue, replan, compensate or suspend. */
  readonly on_failure: string;
  readonly options: MissionOptions;
}

/** What a mission reacts to; written once, as the progress beside it changes often (changelog). */
export interface MissionReactions {
  readonly mission_id: string;
  readonly subscriptions: readonly Subscription[];
  readonly aggregators: readonly Aggregator[];
  /** Names of what is emitted when the mission begins. */
  readonly events: readonly string[];
  readonly on_failure: string;
  /** 0: 16. */
  readonly max_hops: number;
}

/** The mission cannot be accepted. */
export interface MissionRejected extends Envelope {
  readonly event_type: 'mission_rejected';
  readonly payload: MissionRejectedPayload;
}

/** The mission cannot be accepted. */
export interface MissionRejectedPayload {
  /** A code of the failure catalogue. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  readonly parent: ParentTask | null;
}

/** What the orchestrator knows of a mission, without its plan (changelog). */
export interface MissionState {
  readonly mission_id: string;
  readonly name: string;
  readonly brief: string;
  readonly status: string;
  readonly priority: Priority;
  readonly traceparent: string;
  readonly policy: MissionPolicy;
  /** Of the newest fact. */
  readonly sequence: number;
  /** Of the newest fact. */
  readonly head_hash: string;
  /** Epoch ms, as all times here; 0: not set. */
  readonly created_at: number;
  readonly updated_at: number;
  readonly ended_at: number;
  readonly deadline_at: number;
  readonly waves: number;
  readonly tasks: readonly TaskState[];
  readonly roles: readonly string[];
  readonly parent: ParentTask | null;
  readonly depth: number;
  readonly spent: Usage;
  readonly spent_ms: number;
  readonly reviews: readonly PendingReview[];
  readonly replans: number;
  /** Budgets of the same size that a person has added. */
  readonly grants: number;
  readonly cheaper: boolean;
  /** Dependencies that tasks have provided. */
  readonly provided: readonly NamedText[];
  /** What is told to every task that is assigned. */
  readonly shared: readonly NamedText[];
  readonly joins: readonly OpenJoin[];
  /** Why the mission compensates: the code and message it will fail with; empty: it does not. */
  readonly undoing: string;
  /** How often it was suspended and went on. */
  readonly suspensions: number;
  /** The version of the rules by which it is decided. */
  readonly rules: number;
}

/** Where a mission stands; the newest counts. */
export interface MissionStatus extends Envelope {
  readonly event_type: 'mission_status';
  readonly payload: MissionStatusPayload;
}

/** Where a mission stands; the newest counts. */
export interface MissionStatusPayload {
  readonly name: string;
  readonly status: string;
  readonly wave: number;
  readonly waves: number;
  readonly tasks: number;
  readonly completed: number;
  readonly failed: number;
  readonly running: number;
  /** Sequence of the newest fact. */
  readonly head_sequence: number;
  /** SHA-256 (hex) of the newest fact. */
  readonly head_hash: string;
}

/** Outcome of a model call. */
export interface ModelCallEnded extends Envelope {
  readonly event_type: 'model_call_ended';
  readonly payload: ModelCallEndedPayload;
}

/** Outcome of a model call. */
export interface ModelCallEndedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** Number of the call within the attempt, from 1. */
  readonly step: number;
  /** The agent that makes the call. */
  readonly agent: string;
  readonly provider: string;
  readonly model: string;
  readonly ok: boolean;
  readonly text: string;
  readonly tool_calls: readonly ToolCall[];
  readonly stop_reason: string;
  /** A code of the failure catalogue; empty when ok. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  readonly usage: Usage;
  readonly duration_ms: number;
}

/** Intent: a model is about to be called. */
export interface ModelCallStarted extends Envelope {
  readonly event_type: 'model_call_started';
  readonly payload: ModelCallStartedPayload;
}

/** Intent: a model is about to be called. */
export interface ModelCallStartedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** Number of the call within the attempt, from 1. */
  readonly step: number;
  /** The agent that makes the call. */
  readonly agent: string;
  readonly provider: string;
  readonly model: string;
  /** SHA-256 (hex) of the whole request. */
  readonly request_hash: string;
  /** Version of the prompt of the role. */
  readonly prompt_version: string;
  /** SHA-256 (hex) of the tools offered. */
  readonly tools_hash: string;
  readonly temperature: number | null;
  /** Name of the schema that the answer has to fit; empty: text. */
  readonly answer: string;
  /** The most that the call can use up, where the attempt has a budget. */
  readonly most: Amounts | null;
}

/** A text under a name. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** The result of a task that this one needs. */
export interface NeedResult {
  readonly task_id: string;
  readonly role: string;
  readonly result: string;
  /** completed, failed or cancelled; the result of one that is not completed says why. */
  readonly status: string;
}

/** An aggregator that has begun. */
export interface OpenJoin {
  readonly aggregation: string;
  /** Epoch ms; 0: no timeout, or it has fired; -1: it has ended. */
  readonly due_at: number;
}

/** The task of another mission that this mission carries out. */
export interface ParentTask {
  readonly mission_id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly lease: number;
}

/** A reaction asks that a person looks before the mission goes on. */
export interface PauseRequested extends Envelope {
  readonly event_type: 'pause_requested';
  readonly payload: PauseRequestedPayload;
}

/** A reaction asks that a person looks before the mission goes on. */
export interface PauseRequestedPayload {
  readonly subscription: string;
  readonly trigger: string;
  readonly reason: string;
}

/** A review that waits for an answer. */
export interface PendingReview {
  readonly review_id: string;
  /** tool_call, reconcile, plan or budget. */
  readonly kind: string;
  readonly task_id: string;
  readonly step: number;
  readonly arguments_hash: string;
  /** Epoch ms; 0: never. */
  readonly expires_at: number;
}

/** The mission has a plan. */
export interface PlanCreated extends Envelope {
  readonly event_type: 'plan_created';
  readonly payload: PlanCreatedPayload;
}

/** The mission has a plan. */
export interface PlanCreatedPayload {
  /** All defaults resolved, waves filled in. */
  readonly tasks: readonly TaskSpec[];
  /** Number of waves. */
  readonly waves: number;
  /** mission: given; orchestrator: made by a model; heuristic; replanning: a planning task was added; fallback: one that needs no model. */
  readonly made_by: string;
  /** What the planner has to say to people. */
  readonly notes: readonly string[];
}

export type Priority = 'high' | 'normal' | 'low';

/** A task of a mission that reacts, or one that a reaction led to. */
export interface ReactingTask {
  readonly id: string;
  readonly ended: boolean;
  /** Its result is a plan. */
  readonly planning: boolean;
  readonly hops: number;
  /** busy: it was assigned; waits: for what another provides; empty: neither. */
  readonly doing: string;
}

/** What follows from an event. */
export interface Reaction {
  /** task, emit or pause. */
  readonly action: string;
  readonly task: TaskTemplate | null;
  readonly emit: Emission | null;
  /** For people. */
  readonly reason: string;
}

/** How often a subscription has reacted. */
export interface ReactionCount {
  readonly subscription: string;
  readonly count: number;
}

/** All that reacts to a mission has seen its ledger so far, and waits for nothing. */
export interface ReactionsSettled extends Envelope {
  readonly event_type: 'reactions_settled';
  readonly payload: ReactionsSettledPayload;
}

/** All that reacts to a mission has seen its ledger so far, and waits for nothing. */
export interface ReactionsSettledPayload {
  /** Sequence of the newest fact that was seen. */
  readonly up_to: number;
}

/** What an aggregator has received. */
export interface ReceivedEvent {
  /** Of the pattern that it fits. */
  readonly name: string;
  readonly event_id: string;
  readonly hops: number;
  /** Every pattern that it fits, by its place among the expected. */
  readonly fits: readonly number[];
  /** The result of a task, or the data of an emitted event, cut. */
  readonly said: string;
}

/** How attempts that fail are tried again. The rule that names most counts. */
export interface RetryRule {
  /** A code of the failure catalogue; empty: any that is retried. */
  readonly code: string;
  /** Empty: any. */
  readonly role: string;
  /** In all; 0: as the task says; 1: never tried again. */
  readonly max_attempts: number;
  /** Delay before the second attempt, doubled from then on; 0: as the policy says. */
  readonly initial_ms: number;
  /** 0: as the policy says. */
  readonly max_ms: number;
}

/** What a person said to one call of an attempt. */
export interface ReviewAnswer {
  readonly review_id: string;
  readonly step: number;
  readonly arguments_hash: string;
  /** approved, rejected, happened or expired. */
  readonly decision: string;
  readonly comment: string;
}

/** A person has decided. */
export interface ReviewCompleted extends Envelope {
  readonly event_type: 'review_completed';
  readonly payload: ReviewCompletedPayload;
}

/** A person has decided. */
export interface ReviewCompletedPayload {
  readonly review_id: string;
  readonly task_id: string;
  readonly decision: string;
  /** The arguments that were decided on. */
  readonly arguments_hash: string;
  readonly reviewer: string;
  readonly comment: string;
}

/** A person has to decide before this goes on. */
export interface ReviewRequested extends Envelope {
  readonly event_type: 'review_requested';
  readonly payload: ReviewRequestedPayload;
}

/** A person has to decide before this goes on. */
export interface ReviewRequestedPayload {
  readonly review_id: string;
  readonly task_id: string;
  readonly kind: string;
  readonly reason: string;
  readonly tool: string;
  /** JSON text. */
  readonly arguments: string;
  /** What the decision is bound to. */
  readonly arguments_hash: string;
  /** Epoch ms; 0: never. */
  readonly expires_at: number;
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  readonly step: number;
}

/** Which model a role thinks with in this mission. */
export interface RoleModel {
  /** Empty: every role that has no entry of its own. */
  readonly role: string;
  /** provider/name. */
  readonly model: string;
}

/** The role that a task goes to when all conditions hold. */
export interface RoleRoute {
  readonly when: readonly Condition[];
  readonly role: string;
}

/** What has become of the tasks of a role; the newest counts. */
export interface RoleStatistics extends Envelope {
  readonly event_type: 'role_statistics';
  readonly payload: RoleStatisticsPayload;
}

/** What has become of the tasks of a role; the newest counts. */
export interface RoleStatisticsPayload {
  readonly role: string;
  /** Of the ledger, of which this is a part; -1: of all. */
  readonly partition: number;
  /** Facts that it is made of. */
  readonly facts: number;
  /** Now: not assigned. */
  readonly pending: number;
  /** Now: no agent has begun it. */
  readonly assigned: number;
  readonly running: number;
  /** Now: it waits for a person, or for what another task provides. */
  readonly parked: number;
  /** Now: the next attempt waits for its time. */
  readonly waiting: number;
  /** For good, as the two below. */
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Whether tried again or not. */
  readonly attempts_failed: number;
  /** Passed on to another role. */
  readonly handed_over: number;
  /** Of attempts that completed. */
  readonly work: Durations;
  /** From an assignment to its beginning. */
  readonly queue: Durations;
  readonly tokens: number;
  /** Billionths of a dollar, of what has a price. */
  readonly cost_nanos: number;
  /** Attempts whose cost is not known. */
  readonly unpriced: number;
}

/** Nobody runs a role that tasks wait for. */
export interface RoleUnavailable extends Envelope {
  readonly event_type: 'role_unavailable';
  readonly payload: RoleUnavailablePayload;
}

/** Nobody runs a role that tasks wait for. */
export interface RoleUnavailablePayload {
  readonly role: string;
  /** The first of them. */
  readonly tasks: readonly string[];
  /** Epoch ms; 0: nobody ever did. */
  readonly since: number;
}

/** A safety rule refused something. */
export interface SafetyViolation extends Envelope {
  readonly event_type: 'safety_violation';
  readonly payload: SafetyViolationPayload;
}

/** A safety rule refused something. */
export interface SafetyViolationPayload {
  readonly task_id: string;
  readonly rule: string;
  readonly where: string;
  readonly reason: string;
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  readonly steps: number;
  readonly journal_hash: string;
  /** Of the attempt. */
  readonly usage: Usage;
  readonly duration_ms: number;
}

/** What the scripted model does instead of thinking. */
export interface Script {
  /** Made in order, one per turn. */
  readonly calls: readonly ScriptedCall[];
  /** The result of the task; empty: the output of the last call. */
  readonly answer: string;
}

/** One tool call that the scripted model makes. */
export interface ScriptedCall {
  readonly tool: string;
  /** The arguments as JSON text. */
  readonly arguments: string;
  /** Go on with the next call even when this one fails. */
  readonly allow_failure: boolean;
}

/** A service that others depend on is ready. */
export interface ServiceReady extends Envelope {
  readonly event_type: 'service_ready';
  readonly payload: ServiceReadyPayload;
}

/** A service that others depend on is ready. */
export interface ServiceReadyPayload {
  readonly service: string;
  readonly role: string;
  readonly agent: string;
}

/** A subscription or an aggregator for every mission. */
export interface StandingReaction {
  readonly name: string;
  readonly subscription: Subscription | null;
  readonly aggregator: Aggregator | null;
  readonly applied_by: string;
  /** Epoch ms. */
  readonly applied_at: number;
}

/** A role reacts to events. */
export interface Subscription {
  readonly name: string;
  readonly role: string;
  readonly on: EventPattern;
  readonly reaction: Reaction;
  /** Times that it reacts in one mission; 0: as often as it is met. */
  readonly most: number;
}

/** A task is given to a role; the same bytes go to the ledger and to the task topic. */
export interface TaskAssigned extends Envelope {
  readonly event_type: 'task_assigned';
  readonly payload: TaskAssignedPayload;
}

/** A task is given to a role; the same bytes go to the ledger and to the task topic. */
export interface TaskAssignedPayload {
  readonly task_id: string;
  readonly role: string;
  readonly wave: number;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  readonly description: string;
  /** Played by the scripted model. */
  readonly script: Script | null;
  /** Results of the tasks it needs. */
  readonly needs: readonly NeedResult[];
  readonly timeout_ms: number;
  readonly lease_ms: number;
  /** Where a resume reads the journal; -1: a fresh start. */
  readonly journal_partition: number;
  /** From where a resume reads the journal; -1: a fresh start. */
  readonly journal_offset: number;
  readonly kind: string;
  readonly model: string;
  /** The role's cheaper model is to be used. */
  readonly cheaper: boolean;
  /** What the attempt may use up. */
  readonly budget: Amounts | null;
  /** Of a planning task: the roles that the plan may use. */
  readonly roles: readonly string[];
  /** What people said to calls of the attempt. */
  readonly answers: readonly ReviewAnswer[];
  readonly mission: string;
  /** Data for the agent, besides the results it needs. */
  readonly context: string;
  /** The id of the task that it undoes. */
  readonly compensates: string;
  /** Of a planning without a model: tasks that the plan aims at; 0: as many as the brief gives. */
  readonly agents: number;
}

/** An attempt failed; the task will be tried again. */
export interface TaskAttemptFailed extends Envelope {
  readonly event_type: 'task_attempt_failed';
  readonly payload: TaskAttemptFailedPayload;
}

/** An attempt failed; the task will be tried again. */
export interface TaskAttemptFailedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** The agent that speaks. */
  readonly agent: string;
  /** A code of the failure catalogue. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** Calls made in this attempt. */
  readonly steps: number;
  /** SHA-256 (hex) of the last record of the journal of this attempt; empty: nothing journaled. */
  readonly journal_hash: string;
  /** When the next attempt starts (epoch ms); 0 in a report. */
  readonly retry_at: number;
  /** Of the attempt. */
  readonly usage: Usage;
  readonly duration_ms: number;
}

/** A task is not wanted any more; the same bytes tell its agent to stop. */
export interface TaskCancelled extends Envelope {
  readonly event_type: 'task_cancelled';
  readonly payload: TaskCancelledPayload;
}

/** A task is not wanted any more; the same bytes tell its agent to stop. */
export interface TaskCancelledPayload {
  readonly task_id: string;
  readonly role: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  readonly reason: string;
  readonly kind: string;
}

/** A task is done. */
export interface TaskCompleted extends Envelope {
  readonly event_type: 'task_completed';
  readonly payload: TaskCompletedPayload;
}

/** A task is done. */
export interface TaskCompletedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** The agent that speaks. */
  readonly agent: string;
  /** At most 8 KiB; a longer one is cut here and whole in the workspace. */
  readonly result: string;
  /** Calls made in this attempt. */
  readonly steps: number;
  /** SHA-256 (hex) of the last record of the journal of this attempt; empty: nothing journaled. */
  readonly journal_hash: string;
  readonly duration_ms: number;
  readonly usage: Usage;
}

/** A task failed for good. */
export interface TaskFailed extends Envelope {
  readonly event_type: 'task_failed';
  readonly payload: TaskFailedPayload;
}

/** A task failed for good. */
export interface TaskFailedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** The agent that speaks. */
  readonly agent: string;
  /** A code of the failure catalogue. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** Calls made in this attempt. */
  readonly steps: number;
  /** SHA-256 (hex) of the last record of the journal of this attempt; empty: nothing journaled. */
  readonly journal_hash: string;
  /** Of the attempt. */
  readonly usage: Usage;
  readonly duration_ms: number;
}

/** An agent renews the lease of a task; never a fact. */
export interface TaskHeartbeat extends Envelope {
  readonly event_type: 'task_heartbeat';
  readonly payload: TaskHeartbeatPayload;
}

/** An agent renews the lease of a task; never a fact. */
export interface TaskHeartbeatPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** The agent that speaks. */
  readonly agent: string;
}

/** An agent gives its lease back, for example because it shuts down. */
export interface TaskReleased extends Envelope {
  readonly event_type: 'task_released';
  readonly payload: TaskReleasedPayload;
}

/** An agent gives its lease back, for example because it shuts down. */
export interface TaskReleasedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** The agent that speaks. */
  readonly agent: string;
  readonly reason: string;
}

/** A reaction asks for a task. */
export interface TaskRequested extends Envelope {
  readonly event_type: 'task_requested';
  readonly payload: TaskRequestedPayload;
}

/** A reaction asks for a task. */
export interface TaskRequestedPayload {
  readonly task: TaskSpec;
  /** What reacts. */
  readonly subscription: string;
  /** The event_id that it reacts to. */
  readonly trigger: string;
  readonly reason: string;
}

/** A task as planned. */
export interface TaskSpec {
  /** Unique within its mission. */
  readonly id: string;
  /** The role whose agents may do it. */
  readonly role: string;
  /** What is to be done, told to the agent. */
  readonly description: string;
  /** Ids of the tasks that must be completed first. */
  readonly needs: readonly string[];
  /** 1 + the highest wave of its needs; 0: to be derived. */
  readonly wave: number;
  /** Longest time of one attempt; 0: as the policy says. */
  readonly timeout_ms: number;
  /** 0: as the policy says. */
  readonly max_attempts: number;
  /** Played by the scripted model; null: the model of the role thinks. */
  readonly script: Script | null;
  /** Empty: work for an agent; plan: its result is the plan; mission: a mission of its own. */
  readonly kind: string;
  /** It runs when all that it needs has ended, failed or not. */
  readonly partial: boolean;
  /** provider/name; empty: as the mission or the role says. */
  readonly model: string;
  /** Of a mission of its own: JSON of its brief or tasks; empty: the description is its brief. */
  readonly mission: string;
  readonly compensation: Compensation | null;
  /** What one attempt may use up; null: as the mission says. */
  readonly budget: Amounts | null;
  /** high, normal or low; empty: as the mission. */
  readonly priority: string;
  /** Data for the agent, besides what it needs: the event it reacts to, or what another role handed over. */
  readonly context: string;
  /** Reactions that led to it, one after another. */
  readonly hops: number;
  /** The event_id that it reacts to; empty: it was planned. */
  readonly caused_by: string;
  /** The id of the task that it undoes. */
  readonly compensates: string;
}

/** An agent has claimed a task. */
export interface TaskStarted extends Envelope {
  readonly event_type: 'task_started';
  readonly payload: TaskStartedPayload;
}

/** An agent has claimed a task. */
export interface TaskStartedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** The agent that speaks. */
  readonly agent: string;
  /** Partition of the steps topic that holds the journal. */
  readonly journal_partition: number;
  /** No record of this attempt is before this offset. */
  readonly journal_offset: number;
}

/** Where a task stands; task i belongs to task i of the plan. */
export interface TaskState {
  readonly status: string;
  readonly attempt: number;
  readonly lease: number;
  readonly agent: string;
  /** Epoch ms, as all times here; 0: not set. */
  readonly lease_until: number;
  readonly timeout_at: number;
  readonly retry_at: number;
  readonly started_at: number;
  readonly ended_at: number;
  readonly result: string;
  readonly code: string;
  readonly message: string;
  readonly journal_partition: number;
  readonly journal_offset: number;
  /** Leases of the attempt that were lost. */
  readonly expired: number;
  /** Of a parked task, ms. */
  readonly timeout_left: number;
  readonly reserved: Amounts | null;
  /** Of the attempt. */
  readonly answers: readonly ReviewAnswer[];
  /** The last step of the attempt of which a report was accepted. */
  readonly reported: number;
  /** What an earlier attempt has left to start from. */
  readonly checkpoint: string;
  /** Roles that have passed it on. */
  readonly handoffs: number;
  /** The dependency that the parked attempt waits for. */
  readonly waiting_for: string;
  /** Attempts before a person had it tried again: they count no more. */
  readonly tried: number;
}

/** A task to be made of an event. {{payload.x}} in a text is taken from the event. */
export interface TaskTemplate {
  /** Empty: the name of what reacts, and the sequence of the event. */
  readonly id: string;
  /** Where no route fits; empty: the role that subscribes. */
  readonly role: string;
  /** The first that fits counts. */
  readonly routes: readonly RoleRoute[];
  readonly description: string;
  readonly script: Script | null;
  /** 0: as the policy says. */
  readonly timeout_ms: number;
  /** 0: as the policy says. */
  readonly max_attempts: number;
  /** high, normal or low; empty: as the mission. */
  readonly priority: string;
  readonly model: string;
}

/** A timer came due. */
export interface TimerFired extends Envelope {
  readonly event_type: 'timer_fired';
  readonly payload: TimerFiredPayload;
}

/** A timer came due. */
export interface TimerFiredPayload {
  /** lease, timeout, retry, deadline, review or aggregation. */
  readonly timer: string;
  /** Empty for a deadline. */
  readonly task_id: string;
  readonly attempt: number;
  readonly lease: number;
  /** Epoch ms. */
  readonly due_at: number;
  readonly review_id: string;
  readonly aggregation: string;
}

/** A tool call that the model asks for. */
export interface ToolCall {
  readonly id: string;
  readonly tool: string;
  /** JSON text, as the model wrote it. */
  readonly arguments: string;
}

/** Outcome of a tool call. */
export interface ToolCallEnded extends Envelope {
  readonly event_type: 'tool_call_ended';
  readonly payload: ToolCallEndedPayload;
}

/** Outcome of a tool call. */
export interface ToolCallEndedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** Number of the call within the attempt, from 1. */
  readonly step: number;
  /** The agent that makes the call. */
  readonly agent: string;
  /** The id that the model gave the call. */
  readonly call_id: string;
  readonly tool: string;
  readonly ok: boolean;
  readonly output: string;
  /** The output was longer than is kept here. */
  readonly truncated: boolean;
  /** A code of the failure catalogue; empty when ok. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  readonly duration_ms: number;
}

/** Intent: a tool is about to be called. */
export interface ToolCallStarted extends Envelope {
  readonly event_type: 'tool_call_started';
  readonly payload: ToolCallStartedPayload;
}

/** Intent: a tool is about to be called. */
export interface ToolCallStartedPayload {
  readonly task_id: string;
  /** Number of the try, from 1. */
  readonly attempt: number;
  /** Number of the assignment within the attempt, from 1; a resume counts up. */
  readonly lease: number;
  /** Number of the call within the attempt, from 1. */
  readonly step: number;
  /** The agent that makes the call. */
  readonly agent: string;
  /** The id that the model gave the call. */
  readonly call_id: string;
  readonly tool: string;
  /** JSON text. */
  readonly arguments: string;
  /** SHA-256 (hex) of the arguments. */
  readonly arguments_hash: string;
  /** none, idempotent or once: what a crash between intent and outcome means. */
  readonly effect: string;
  readonly idempotency_key: string;
  /** The approval under which the call is made. */
  readonly review_id: string;
}

/** What a mission did is being undone, step by step; then it fails or is cancelled. */
export interface UndoingStarted extends Envelope {
  readonly event_type: 'undoing_started';
  readonly payload: UndoingStartedPayload;
}

/** What a mission did is being undone, step by step; then it fails or is cancelled. */
export interface UndoingStartedPayload {
  /** A code of the failure catalogue: what the mission will fail with. */
  readonly code: string;
  /** For people; of a cancellation: its reason. */
  readonly message: string;
  /** Who cancelled the mission; null: it fails. */
  readonly cancelled_by: string | null;
}

/** Tokens and money spent on models. */
export interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_tokens: number;
  readonly cache_write_tokens: number;
  /** Null when the price is not known. */
  readonly cost_usd: number | null;
  /** Calls of models. */
  readonly calls: number;
}

/** All tasks of a wave have ended. */
export interface WaveCompleted extends Envelope {
  readonly event_type: 'wave_completed';
  readonly payload: WaveCompletedPayload;
}

/** All tasks of a wave have ended. */
export interface WaveCompletedPayload {
  readonly wave: number;
  readonly completed: number;
  readonly failed: number;
}

/** The first task of a wave is assigned. */
export interface WaveStarted extends Envelope {
  readonly event_type: 'wave_started';
  readonly payload: WaveStartedPayload;
}

/** The first task of a wave is assigned. */
export interface WaveStartedPayload {
  readonly wave: number;
  /** All tasks of the wave. */
  readonly tasks: readonly string[];
}

export type Event =
  | AgentHandoff
  | AgentHealth
  | AggregationCompleted
  | AggregationStarted
  | AggregationTimedOut
  | CheckpointCreated
  | CompensationCompleted
  | CompensationFailed
  | CompensationStarted
  | ContextSynced
  | DeadLetterArchived
  | DeadLetterEdited
  | DeadLetterParked
  | DeadLetterRecorded
  | DeadLetterRedriven
  | DeadLetterRefused
  | DeadLetterRequested
  | DecisionRecorded
  | DependencyRequired
  | DependencyResolved
  | ErrorRaised
  | EventEmitted
  | InsightShared
  | JournalResumed
  | MissionAccepted
  | MissionCancelled
  | MissionCompleted
  | MissionFailed
  | MissionRejected
  | MissionStatus
  | ModelCallEnded
  | ModelCallStarted
  | PauseRequested
  | PlanCreated
  | ReactionsSettled
  | ReviewCompleted
  | ReviewRequested
  | RoleStatistics
  | RoleUnavailable
  | SafetyViolation
  | ServiceReady
  | TaskAssigned
  | TaskAttemptFailed
  | TaskCancelled
  | TaskCompleted
  | TaskFailed
  | TaskHeartbeat
  | TaskReleased
  | TaskRequested
  | TaskStarted
  | TimerFired
  | ToolCallEnded
  | ToolCallStarted
  | UndoingStarted
  | WaveCompleted
  | WaveStarted;

export type EventType = Event['event_type'];

export type EventOf<T extends EventType> = Extract<Event, { readonly event_type: T }>;

export type PayloadOf<T extends EventType> = EventOf<T>['payload'];

/** Every schema by the name of its record. */
export interface Records {
  readonly AgentHandoff: AgentHandoff;
  readonly AgentHealth: AgentHealth;
  readonly AggregationCompleted: AggregationCompleted;
  readonly AggregationStarted: AggregationStarted;
  readonly AggregationTimedOut: AggregationTimedOut;
  readonly CheckpointCreated: CheckpointCreated;
  readonly CompensationCompleted: CompensationCompleted;
  readonly CompensationFailed: CompensationFailed;
  readonly CompensationStarted: CompensationStarted;
  readonly ContextSynced: ContextSynced;
  readonly CorrelationState: CorrelationState;
  readonly DeadLetterArchived: DeadLetterArchived;
  readonly DeadLetterEdited: DeadLetterEdited;
  readonly DeadLetterParked: DeadLetterParked;
  readonly DeadLetterRecorded: DeadLetterRecorded;
  readonly DeadLetterRedriven: DeadLetterRedriven;
  readonly DeadLetterRefused: DeadLetterRefused;
  readonly DeadLetterRequested: DeadLetterRequested;
  readonly DecisionRecorded: DecisionRecorded;
  readonly DependencyRequired: DependencyRequired;
  readonly DependencyResolved: DependencyResolved;
  readonly ErrorRaised: ErrorRaised;
  readonly EventEmitted: EventEmitted;
  readonly InsightShared: InsightShared;
  readonly JournalResumed: JournalResumed;
  readonly MissionAccepted: MissionAccepted;
  readonly MissionCancelled: MissionCancelled;
  readonly MissionCommand: MissionCommand;
  readonly MissionCompleted: MissionCompleted;
  readonly MissionFailed: MissionFailed;
  readonly MissionPlan: MissionPlan;
  readonly MissionReactions: MissionReactions;
  readonly MissionRejected: MissionRejected;
  readonly MissionState: MissionState;
  readonly MissionStatus: MissionStatus;
  readonly ModelCallEnded: ModelCallEnded;
  readonly ModelCallStarted: ModelCallStarted;
  readonly PauseRequested: PauseRequested;
  readonly PlanCreated: PlanCreated;
  readonly ReactionsSettled: ReactionsSettled;
  readonly ReviewCompleted: ReviewCompleted;
  readonly ReviewRequested: ReviewRequested;
  readonly RoleStatistics: RoleStatistics;
  readonly RoleUnavailable: RoleUnavailable;
  readonly SafetyViolation: SafetyViolation;
  readonly ServiceReady: ServiceReady;
  readonly StandingReaction: StandingReaction;
  readonly TaskAssigned: TaskAssigned;
  readonly TaskAttemptFailed: TaskAttemptFailed;
  readonly TaskCancelled: TaskCancelled;
  readonly TaskCompleted: TaskCompleted;
  readonly TaskFailed: TaskFailed;
  readonly TaskHeartbeat: TaskHeartbeat;
  readonly TaskReleased: TaskReleased;
  readonly TaskRequested: TaskRequested;
  readonly TaskStarted: TaskStarted;
  readonly TimerFired: TimerFired;
  readonly ToolCallEnded: ToolCallEnded;
  readonly ToolCallStarted: ToolCallStarted;
  readonly UndoingStarted: UndoingStarted;
  readonly WaveCompleted: WaveCompleted;
  readonly WaveStarted: WaveStarted;
}

export type RecordName = keyof Records;
