import type { RecordName } from '#schemas/types.gen.ts';

/** What topics hold that have records of many kinds. */

/** What agents say to each other and reactions ask for: reported, and facts as they are. */
const coordination: readonly RecordName[] = [
  'AgentHandoff',
  'DependencyRequired',
  'DependencyResolved',
  'DecisionRecorded',
  'CheckpointCreated',
  'ContextSynced',
  'EventEmitted',
  'ErrorRaised',
  'TaskRequested',
  'PauseRequested',
  'AggregationStarted',
  'AggregationCompleted',
  'AggregationTimedOut',
  'ReactionsSettled',
  'RoleUnavailable',
];
export const facts: readonly RecordName[] = [
  'MissionAccepted',
  'MissionRejected',
  'PlanCreated',
  'WaveStarted',
  'WaveCompleted',
  'TaskAssigned',
  'TaskStarted',
  'TaskCompleted',
  'TaskAttemptFailed',
  'TaskFailed',
  'TaskReleased',
  'TaskCancelled',
  'TimerFired',
  'ReviewRequested',
  'ReviewCompleted',
  'SafetyViolation',
  ...coordination,
  'UndoingStarted',
  'CompensationStarted',
  'CompensationCompleted',
  'CompensationFailed',
  'MissionCompleted',
  'MissionFailed',
  'MissionCancelled',
];
export const reports: readonly RecordName[] = [
  'TaskStarted',
  'TaskCompleted',
  'TaskAttemptFailed',
  'TaskReleased',
  'TaskHeartbeat',
  'ReviewRequested',
  'SafetyViolation',
  ...coordination,
];
export const steps: readonly RecordName[] = [
  'ModelCallStarted',
  'ModelCallEnded',
  'ToolCallStarted',
  'ToolCallEnded',
  'JournalResumed',
];

export const letterEvents: readonly RecordName[] = [
  'DeadLetterRecorded',
  'DeadLetterEdited',
  'DeadLetterRedriven',
  'DeadLetterArchived',
  'DeadLetterParked',
  'DeadLetterRefused',
];
