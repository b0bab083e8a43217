import { Failure } from '#chassis/failures.ts';
import type { EventOf, PayloadOf } from '#schemas/types.gen.ts';
import { resume } from './assigning.ts';
import { finishOrRelease, taskEnded } from './consequences.ts';
import { type Decision, type IgnoreReason, ignore, type TaskReport } from './input.ts';
import { type AttemptRetry, attemptRetry, delayAfterAttempt } from './retries.ts';
import { said, whyNotHandedOver } from './saying.ts';
import { whyStale } from './stale.ts';
import type { MissionState, TaskState } from './state.ts';
import type { Turn } from './turn.ts';
import { countedAttempts } from './undoing.ts';

/** What agents report of their tasks. */

export function report(turn: Turn, event: TaskReport): Decision {
  const { state } = turn;
  const position = state.plan?.index.get(event.payload.task_id) ?? -1;
  const task = state.tasks[position];
  if (task === undefined) return ignore('TaskUnknown');
  const reason =
    whyStale(task, event.payload) ?? (event.event_type === 'task_started' ? whyStarted(task) : null);
  if (reason !== null) return ignore(reason);

  const { source_agent, target_agent } = event;
  switch (event.event_type) {
    case 'task_started':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      break;
    case 'task_completed':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      taskEnded(turn, position, event.payload.result);
      break;
    case 'task_attempt_failed':
      attemptFailed(turn, position, { source_agent, target_agent }, event.payload);
      break;
    case 'task_released':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      resume(turn, position);
      break;
    case 'review_requested':
      if (task.status !== 'running') return ignore('NotRunning');
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: asked(event, turn.now) });
      // The parked task gave its place in flight back.
      finishOrRelease(turn);
      break;
    case 'safety_violation':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      attemptFailed(turn, position, { source_agent, target_agent }, violation(event.payload));
      break;
    case 'agent_handoff': {
      if (task.status !== 'running') return ignore('NotRunning');
      const refused = whyNotHandedOver(state, position, event.payload);
      if (refused !== null) {
        attemptFailed(turn, position, { source_agent, target_agent }, { ...event.payload, ...refused });
        break;
      }
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      // The role before gave its place in flight back.
      finishOrRelease(turn);
      break;
    }
    case 'dependency_required':
    case 'dependency_resolved':
    case 'decision_recorded':
    case 'checkpoint_created':
    case 'context_synced':
    case 'event_emitted':
      return said(turn, position, event);
    default: {
      const unknown: never = event;
      throw new Failure('internal_error', `not a report: ${JSON.stringify(unknown)}`);
    }
  }
  return turn.decision();
}

const violation = (payload: PayloadOf<'safety_violation'>): PayloadOf<'task_failed'> => ({
  ...payload,
  code: 'safety_violation',
  message: `${payload.rule} (${payload.where}): ${payload.reason}`,
});

const whyStarted = (task: TaskState): IgnoreReason | null =>
  task.status === 'running' ? 'AlreadyStarted' : null;

/** While a mission is being undone, only what undoes is tried again. */
function retryOf({ plan, policy, undoing }: MissionState, position: number, code: string): AttemptRetry {
  const spec = plan?.tasks[position];
  const may = spec !== undefined && (undoing === '' || spec.compensates !== '');
  const again = attemptRetry(policy, code, spec?.role ?? '', spec?.max_attempts ?? 1);
  return may ? again : { ...again, max_attempts: 1 };
}

/** A person has as long as the agent says, by our clock: the agent's may be another one. */
function asked({ payload, timestamp }: EventOf<'review_requested'>, now: number): typeof payload {
  const { expires_at } = payload;
  return expires_at === 0 ? payload : { ...payload, expires_at: now + Math.max(0, expires_at - timestamp) };
}

/** An attempt ended in failure: it is tried again later, or the task has failed for good. */
export function attemptFailed(
  turn: Turn,
  position: number,
  between: { readonly source_agent: string; readonly target_agent: string },
  report: PayloadOf<'task_failed'>,
): void {
  const { state, now } = turn;
  const { task_id, attempt, lease, agent, code, message, steps, journal_hash, usage, duration_ms } = report;
  const failure = { task_id, attempt, lease, agent, code, message, steps, journal_hash, usage, duration_ms };
  const again = retryOf(state, position, code);
  const tries = countedAttempts(state.tasks[position]);
  if (tries < again.max_attempts) {
    const retry_at = now + delayAfterAttempt(again, tries);
    turn.add({ event_type: 'task_attempt_failed', ...between, payload: { ...failure, retry_at } });
    // The task gave its place in flight back.
    finishOrRelease(turn);
  } else {
    turn.add({ event_type: 'task_failed', ...between, payload: failure });
    taskEnded(turn, position, '');
  }
}
