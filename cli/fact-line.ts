import type { FactEvent } from '#orchestrator/facts.ts';
import { duration, oneLine } from './format.ts';
import type { Colors } from './output.ts';

/** `task_assigned | orchestrator → cert_agent | deploy-cert_agent-wave1` */
export function factLine(fact: FactEvent, colors?: Colors): string {
  const { event_type, source_agent, target_agent } = fact;
  const detail = factDetail(fact);
  if (colors === undefined) return `${event_type} | ${source_agent} → ${target_agent} | ${detail}`;
  const bar = colors.dim('|');
  const agents = `${source_agent} ${colors.dim('→')} ${target_agent}`;
  return `${factTint(fact, colors)(event_type)} ${bar} ${agents} ${bar} ${detail}`;
}

/** What a fact is about, in a few words: its task, its wave or its message. */
export function factDetail(fact: FactEvent): string {
  switch (fact.event_type) {
    case 'mission_accepted':
      return oneLine(fact.payload.name || fact.payload.brief) || fact.correlation_id;
    case 'mission_rejected':
      return `${fact.payload.code}: ${oneLine(fact.payload.message)}`;
    case 'plan_created':
      return `${count(fact.payload.tasks.length, 'task')} in ${count(fact.payload.waves, 'wave')}${planner(fact.payload.made_by)}`;
    case 'wave_started':
      return `wave ${fact.payload.wave}`;
    case 'wave_completed':
      return `wave ${fact.payload.wave}${fact.payload.failed > 0 ? ` (${fact.payload.failed} failed)` : ''}`;
    case 'task_assigned':
    case 'task_started': {
      const { task_id, attempt, lease } = fact.payload;
      const which = [
        ...(attempt > 1 ? [`attempt ${attempt}`] : []),
        ...(lease > 1 ? [`lease ${lease}`] : []),
      ];
      return which.length > 0 ? `${task_id} (${which.join(', ')})` : task_id;
    }
    case 'task_completed':
      return fact.payload.task_id;
    case 'task_attempt_failed':
    case 'task_failed': {
      const { task_id, attempt, code, message } = fact.payload;
      return `${task_id} (attempt ${attempt}, ${code}: ${oneLine(message)})`;
    }
    case 'task_released':
    case 'task_cancelled':
      return `${fact.payload.task_id} (${oneLine(fact.payload.reason)})`;
    case 'timer_fired':
      return fact.payload.task_id === ''
        ? fact.payload.timer
        : `${fact.payload.task_id} (${fact.payload.timer})`;
    case 'review_requested': {
      const { review_id, kind, tool, reason } = fact.payload;
      return `${review_id} (${tool === '' ? kind : `${kind} ${oneLine(tool)}`}: ${oneLine(reason)})`;
    }
    case 'review_completed': {
      const { review_id, decision, reviewer } = fact.payload;
      return `${review_id} (${decision} by ${oneLine(reviewer)})`;
    }
    case 'safety_violation': {
      const { task_id, rule, where, reason } = fact.payload;
      return `${task_id} (${rule}, ${where}: ${oneLine(reason)})`;
    }
    case 'agent_handoff': {
      const { task_id, from_role, to_role, reason } = fact.payload;
      return `${task_id}: ${from_role} → ${to_role}${because(reason)}`;
    }
    case 'dependency_required': {
      const { task_id, dependency, reason } = fact.payload;
      return `${task_id} waits for ${oneLine(dependency)}${because(reason)}`;
    }
    case 'dependency_resolved': {
      const { dependency, task_id, agent } = fact.payload;
      // The orchestrator passes on what an agent has provided.
      return `${oneLine(dependency)}, ${agent === '' ? 'for' : 'by'} ${task_id}`;
    }
    case 'decision_recorded': {
      const { task_id, decision, reasons } = fact.payload;
      return `${task_id === '' ? '' : `${task_id}: `}${oneLine(decision)}${because(reasons.join('; '))}`;
    }
    case 'checkpoint_created':
      return `${fact.payload.task_id}: ${oneLine(fact.payload.name)}`;
    case 'context_synced':
      return `${fact.payload.task_id}: ${oneLine(fact.payload.scope)}`;
    case 'event_emitted': {
      const { name, task_id, subscription } = fact.payload;
      const by = task_id === '' ? subscription : task_id;
      return `${oneLine(name)}${by === '' ? '' : `, by ${by}`}`;
    }
    case 'error_raised': {
      const { code, message } = fact.payload;
      return `${code}: ${oneLine(message)}`;
    }
    case 'task_requested': {
      const { task, subscription, reason } = fact.payload;
      return `${task.id} for ${task.role}, by ${subscription}${because(reason)}`;
    }
    case 'pause_requested':
      return `by ${fact.payload.subscription}${because(fact.payload.reason)}`;
    case 'aggregation_started':
      return `${fact.payload.aggregation} waits for ${oneLine(fact.payload.expected.join(', '))}`;
    case 'aggregation_completed':
    case 'aggregation_timed_out': {
      const { aggregation, received, missing } = fact.payload;
      const without = missing.length > 0 ? `, without ${oneLine(missing.join(', '))}` : '';
      return `${aggregation}: ${received.length} of ${received.length + missing.length}${without}`;
    }
    case 'reactions_settled':
      return `up to ${fact.payload.up_to}`;
    case 'role_unavailable':
      return `nobody runs ${fact.payload.role}, which ${oneLine(fact.payload.tasks.join(', '))} wait for`;
    case 'undoing_started': {
      const { code, message, cancelled_by } = fact.payload;
      return cancelled_by === null ? `${code}: ${oneLine(message)}` : `cancelled: ${oneLine(message)}`;
    }
    case 'compensation_started':
    case 'compensation_completed':
      return `${fact.payload.task_id} undoes ${fact.payload.compensates}`;
    case 'compensation_failed': {
      const { task_id, compensates, code, message } = fact.payload;
      return `${task_id} could not undo ${compensates} (${code}: ${oneLine(message)})`;
    }
    case 'mission_completed': {
      const { tasks, duration_ms, missing } = fact.payload;
      const without = missing.length > 0 ? `, without ${oneLine(missing.join(', '))}` : '';
      return `${count(tasks, 'task')} in ${duration(duration_ms)}${without}`;
    }
    case 'mission_failed':
      return `${fact.payload.code}: ${oneLine(fact.payload.message)}`;
    case 'mission_cancelled':
      return oneLine(fact.payload.reason);
    default: {
      const unknown: never = fact;
      return unknown;
    }
  }
}

const because = (reason: string): string => (reason === '' ? '' : ` (${oneLine(reason)})`);

/** Who made a plan; that a mission came with one goes without saying. */
export function planner(made_by: string): string {
  switch (made_by) {
    case 'orchestrator':
      return ', made by a model';
    case 'heuristic':
      return ', made without a model';
    case 'fallback':
      return ': no model could plan, and the planning without one is asked';
    case 'replanning':
      return ': what is done stays, and a model plans the rest anew';
    case 'reactions':
      return ': its tasks come from reactions';
    default:
      return '';
  }
}

/** The colour of a fact's type. */
export function factTint({ event_type }: FactEvent, colors: Colors): (text: string) => string {
  if (/_(failed|rejected)$/.test(event_type)) return colors.red;
  if (event_type === 'safety_violation' || event_type === 'error_raised') return colors.red;
  if (
    /_(cancelled|released)$|^(timer_fired|undoing_started|review_requested|pause_requested|role_unavailable)$/.test(
      event_type,
    )
  )
    return colors.yellow;
  if (event_type.endsWith('_completed')) return colors.green;
  return colors.cyan;
}

function count(number: number, of: string): string {
  return `${number} ${of}${number === 1 ? '' : 's'}`;
}
