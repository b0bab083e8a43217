import type { FactEvent } from './facts.ts';
import type { Input, ReportInput, TimerKind } from './input.ts';

const timers: Readonly<Record<TimerKind, true>> = {
  lease: true,
  timeout: true,
  retry: true,
  deadline: true,
  review: true,
  aggregation: true,
};
const isTimer = (timer: string): timer is TimerKind => Object.hasOwn(timers, timer);

/**
 * The input that a decision was made of, from the first of its facts, which is the input's own. Null for a fact that
 * is no input's own, and so can only follow on another.
 */
export function inputBehind(fact: FactEvent): Input | null {
  const { correlation_id: mission_id, priority } = fact;
  switch (fact.event_type) {
    case 'mission_accepted':
      return { kind: 'submit', mission_id, priority, ...fact.payload };
    case 'mission_rejected':
      return { kind: 'refuse', mission_id, priority, ...fact.payload };
    case 'mission_cancelled':
      return { kind: 'cancel', reason: fact.payload.reason, by: fact.payload.cancelled_by };
    case 'task_started':
    case 'task_completed':
    case 'task_released':
    case 'safety_violation':
    case 'agent_handoff':
    case 'dependency_required':
    case 'dependency_resolved':
    case 'decision_recorded':
    case 'checkpoint_created':
    case 'context_synced':
    case 'error_raised':
    case 'task_requested':
    case 'pause_requested':
    case 'aggregation_started':
    case 'aggregation_completed':
    case 'aggregation_timed_out':
    case 'reactions_settled':
    case 'role_unavailable':
      return { kind: 'report', event: fact };
    case 'task_attempt_failed':
    case 'task_failed':
      return failureReport(fact);
    case 'timer_fired': {
      const { timer, ...rest } = fact.payload;
      return isTimer(timer) ? { kind: 'timer', timer, ...rest } : null;
    }
    case 'review_requested':
      // The orchestrator asks about plans and budgets itself: then it only follows.
      return fact.payload.task_id === '' ? null : { kind: 'report', event: fact };
    case 'review_completed': {
      const { review_id, decision, arguments_hash, reviewer, comment } = fact.payload;
      return { kind: 'review', review_id, decision, arguments_hash, reviewer, comment };
    }
    case 'undoing_started': {
      const { message, cancelled_by } = fact.payload;
      // A cancellation that has something to undo begins so; after a failure it only follows.
      return cancelled_by === null
        ? outgrown(fact.payload, true)
        : { kind: 'cancel', reason: message, by: cancelled_by };
    }
    case 'mission_failed':
      return outgrown(fact.payload, false);
    case 'event_emitted':
      return emissionBehind(fact);
    case 'compensation_started':
    case 'compensation_completed':
    case 'compensation_failed':
    case 'plan_created':
    case 'wave_started':
    case 'wave_completed':
    case 'task_assigned':
    case 'task_cancelled':
    case 'mission_completed':
      return null;
    default: {
      const unknown: never = fact;
      return unknown;
    }
  }
}

/** A failure only follows on another input, but for one: no decision on that input would have fitted. */
function outgrown(
  { code, message }: { readonly code: string; readonly message: string },
  undo: boolean,
): Input | null {
  return code === 'mission_too_large' ? { kind: 'fail', code, message, undo } : null;
}

/** A person's, or one that was reported. */
function emissionBehind(fact: Extract<FactEvent, { readonly event_type: 'event_emitted' }>): Input {
  const { task_id, subscription, trigger, hops, name, topic, severity, data } = fact.payload;
  if (task_id !== '' || subscription !== '' || trigger !== '' || hops > 0)
    return { kind: 'report', event: fact };
  return { kind: 'emit', emission: { name, topic, severity, data }, by: fact.source_agent };
}

/** Whether a failed attempt is tried again is the orchestrator's decision; the report is the same. */
function failureReport(
  fact: Extract<FactEvent, { readonly event_type: 'task_attempt_failed' | 'task_failed' }>,
): ReportInput {
  const payload = { ...fact.payload, retry_at: 0 };
  return { kind: 'report', event: { ...fact, event_type: 'task_attempt_failed', payload } };
}
