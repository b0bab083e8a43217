import type { EventOf, PayloadOf } from '#schemas/types.gen.ts';
import { taskKey } from './journal.ts';

type ReportType =
  | 'task_started'
  | 'task_completed'
  | 'task_attempt_failed'
  | 'task_released'
  | 'task_heartbeat'
  | 'review_requested'
  | 'safety_violation'
  | SaidType;

/** What agents say to each other; each is the report of one step. */
type SaidType =
  | 'agent_handoff'
  | 'dependency_required'
  | 'dependency_resolved'
  | 'decision_recorded'
  | 'checkpoint_created'
  | 'context_synced'
  | 'event_emitted';

/** What the assignment and the worker's name already say. */
type Known = 'task_id' | 'attempt' | 'lease' | 'agent';
type Draft<T extends ReportType> = T extends ReportType
  ? { readonly event_type: T; readonly payload: Omit<PayloadOf<T>, Known> }
  : never;

export type Report = Draft<ReportType>;
export type EndReport = Draft<
  | 'task_completed'
  | 'task_attempt_failed'
  | 'task_released'
  | 'review_requested'
  | 'safety_violation'
  | 'agent_handoff'
  | 'dependency_required'
>;
/** What an agent says in the middle of its task. */
export type SaidReport = Draft<Exclude<SaidType, EndReport['event_type']>>;

/**
 * The event of a report. Its id follows from what it reports, so that one which is sent twice is recognised: what an
 * agent says is known by its step, whichever lease comes to it. `mark` tells apart those that a lease sends many of
 * (heartbeats).
 */
export function reportEvent(
  assignment: EventOf<'task_assigned'>,
  agent: string,
  report: Report,
  now: number,
  mark = '',
): EventOf<ReportType> {
  const { task_id, role, attempt, lease } = assignment.payload;
  const { target, step } = sayingOf(report);
  const place = step === null ? `${lease}/${report.event_type}${mark}` : String(step);
  // The compiler loses which payload belongs to which type when they are joined again; Report has kept them together.
  return {
    event_id: `${taskKey(assignment.correlation_id, task_id)}/${attempt}/${place}`,
    event_type: report.event_type,
    source_agent: role,
    target_agent: target,
    timestamp: now,
    version: 1,
    correlation_id: assignment.correlation_id,
    causation_id: assignment.event_id,
    priority: assignment.priority,
    sequence: 0,
    previous_hash: '',
    payload: { task_id, attempt, lease, agent, ...report.payload },
  } as EventOf<ReportType>;
}

/** Whom a report is for, and the step that it is known by; null: it is known by its lease. */
function sayingOf(report: Report): { readonly target: string; readonly step: number | null } {
  switch (report.event_type) {
    case 'agent_handoff':
      return { target: report.payload.to_role, step: report.payload.step };
    case 'dependency_required':
    case 'dependency_resolved':
    case 'decision_recorded':
    case 'context_synced':
    case 'event_emitted':
      return { target: 'squad', step: report.payload.step };
    case 'checkpoint_created':
      return { target: 'orchestrator', step: report.payload.step };
    default:
      return { target: 'orchestrator', step: null };
  }
}
