import type { EventOf, PayloadOf } from '#schemas/types.gen.ts';

type ReportType =
  | 'task_started'
  | 'task_completed'
  | 'task_attempt_failed'
  | 'task_released'
  | 'task_heartbeat'
  | 'review_requested'
  | 'safety_violation';

/** What the assignment and the worker's name already say. */
type Known = 'task_id' | 'attempt' | 'lease' | 'agent';
type Draft<T extends ReportType> = T extends ReportType
  ? { readonly event_type: T; readonly payload: Omit<PayloadOf<T>, Known> }
  : never;

export type Report = Draft<ReportType>;
export type EndReport = Draft<
  'task_completed' | 'task_attempt_failed' | 'task_released' | 'review_requested' | 'safety_violation'
>;

/**
 * The event of a report. Its id follows from what it reports, so that one which is sent twice is recognised; `mark`
 * tells apart those that a lease sends many of (heartbeats).
 */
export function reportEvent(
  assignment: EventOf<'task_assigned'>,
  agent: string,
  report: Report,
  now: number,
  mark = '',
): EventOf<ReportType> {
  const { task_id, role, attempt, lease } = assignment.payload;
  // The compiler loses which payload belongs to which type when they are joined again; Report has kept them together.
  return {
    event_id: `${assignment.correlation_id}/${task_id}/${attempt}/${lease}/${report.event_type}${mark}`,
    event_type: report.event_type,
    source_agent: role,
    target_agent: 'orchestrator',
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
