import type { Event, EventOf, PayloadOf, Priority } from '#schemas/types.gen.ts';

/** What may stand in the ledger. */
export type FactType =
  | 'mission_accepted'
  | 'mission_rejected'
  | 'plan_created'
  | 'wave_started'
  | 'wave_completed'
  | 'task_assigned'
  | 'task_started'
  | 'task_completed'
  | 'task_attempt_failed'
  | 'task_failed'
  | 'task_released'
  | 'task_cancelled'
  | 'timer_fired'
  | 'review_requested'
  | 'review_completed'
  | 'safety_violation'
  | 'agent_handoff'
  | 'dependency_required'
  | 'dependency_resolved'
  | 'decision_recorded'
  | 'checkpoint_created'
  | 'context_synced'
  | 'event_emitted'
  | 'error_raised'
  | 'task_requested'
  | 'pause_requested'
  | 'aggregation_started'
  | 'aggregation_completed'
  | 'aggregation_timed_out'
  | 'reactions_settled'
  | 'role_unavailable'
  | 'undoing_started'
  | 'compensation_started'
  | 'compensation_completed'
  | 'compensation_failed'
  | 'mission_completed'
  | 'mission_failed'
  | 'mission_cancelled';

export type FactEvent = EventOf<FactType>;

/** A fact before the ledger gives it its number, its time and the hash of the one before. */
export type FactDraft = {
  [T in FactType]: {
    readonly event_type: T;
    readonly source_agent: string;
    readonly target_agent: string;
    readonly payload: PayloadOf<T>;
  };
}[FactType];

export type DraftOf<T extends FactType> = Extract<FactDraft, { readonly event_type: T }>;

/** What `evolve` needs of the envelope; every event has it, so `evolve(state, event, event)` folds a ledger. */
export interface FactEnvelope {
  readonly correlation_id: string;
  readonly priority: Priority;
  /** Epoch ms. */
  readonly timestamp: number;
}

/** Every fact type, so that a type missing here does not compile. */
const factTypes: Readonly<Record<FactType, true>> = {
  mission_accepted: true,
  mission_rejected: true,
  plan_created: true,
  wave_started: true,
  wave_completed: true,
  task_assigned: true,
  task_started: true,
  task_completed: true,
  task_attempt_failed: true,
  task_failed: true,
  task_released: true,
  task_cancelled: true,
  timer_fired: true,
  review_requested: true,
  review_completed: true,
  safety_violation: true,
  agent_handoff: true,
  dependency_required: true,
  dependency_resolved: true,
  decision_recorded: true,
  checkpoint_created: true,
  context_synced: true,
  event_emitted: true,
  error_raised: true,
  task_requested: true,
  pause_requested: true,
  aggregation_started: true,
  aggregation_completed: true,
  aggregation_timed_out: true,
  reactions_settled: true,
  role_unavailable: true,
  undoing_started: true,
  compensation_started: true,
  compensation_completed: true,
  compensation_failed: true,
  mission_completed: true,
  mission_failed: true,
  mission_cancelled: true,
};

export function isFact(event: Event): event is FactEvent {
  return Object.hasOwn(factTypes, event.event_type);
}

/** The last fact of a mission, but for the cancellations that may follow from it. */
export const endsMission: ReadonlySet<string> = new Set<FactType>([
  'mission_rejected',
  'mission_completed',
  'mission_failed',
  'mission_cancelled',
]);

const person = 'person';
const squad = 'squad';
export const orchestrator = 'orchestrator';

type Audience = 'person' | 'squad' | 'orchestrator';

/** Whom the facts that the orchestrator makes itself, and that are not about one task, are for. */
const audience = {
  mission_accepted: person,
  mission_rejected: person,
  mission_completed: person,
  mission_failed: person,
  mission_cancelled: person,
  plan_created: squad,
  wave_started: squad,
  wave_completed: squad,
  timer_fired: orchestrator,
  review_requested: person,
  review_completed: orchestrator,
  dependency_resolved: squad,
  event_emitted: squad,
  error_raised: person,
  role_unavailable: person,
  undoing_started: squad,
  compensation_started: squad,
  compensation_completed: squad,
  compensation_failed: person,
} as const satisfies Partial<Record<FactType, Audience>>;

type OwnFact = keyof typeof audience;

/** A fact of the orchestrator's own. */
export function own<T extends OwnFact>(event_type: T, payload: PayloadOf<T>) {
  return { event_type, source_agent: orchestrator, target_agent: audience[event_type], payload };
}

/** A fact that the orchestrator tells a role. */
export function told<T extends 'task_assigned' | 'task_cancelled' | 'task_attempt_failed' | 'task_failed'>(
  event_type: T,
  role: string,
  payload: PayloadOf<T>,
) {
  return { event_type, source_agent: orchestrator, target_agent: role, payload };
}
