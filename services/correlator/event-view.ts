import { cut } from '#orchestrator/cut.ts';
import type { FactEvent } from '#orchestrator/facts.ts';

export type Severity = 'info' | 'warning' | 'error' | 'critical';

/** A fact as filters and templates see it: its envelope, its payload, and of an emitted event the parsed data. */
export interface EventView {
  readonly fact: FactEvent;
  /** The event_type, or of an emitted event its name. */
  readonly names: readonly string[];
  /** The topic of the ledger, or of an emitted event its own. */
  readonly topics: readonly string[];
  readonly severity: Severity;
  /** Where paths lead. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const ranks: Readonly<Record<string, number>> = { info: 0, warning: 1, error: 2, critical: 3 };

/** How bad it is; a text that is none counts as `info`. */
export const rankOf = (severity: string): number =>
  Object.hasOwn(ranks, severity) ? (ranks[severity] ?? 0) : 0;

const severities: Readonly<Partial<Record<FactEvent['event_type'], Severity>>> = {
  task_failed: 'error',
  mission_failed: 'error',
  error_raised: 'error',
  compensation_failed: 'error',
  safety_violation: 'critical',
  task_attempt_failed: 'warning',
  timer_fired: 'warning',
  role_unavailable: 'warning',
};

function severityOf(fact: FactEvent): Severity {
  if (fact.event_type !== 'event_emitted') return severities[fact.event_type] ?? 'info';
  const { severity } = fact.payload;
  return severity === 'warning' || severity === 'error' || severity === 'critical' ? severity : 'info';
}

/** `ledger` is the name of the ledger's topic. `more` are fields that the ledger does not have in this fact. */
export function viewOf(
  fact: FactEvent,
  ledger: string,
  more: Readonly<Record<string, unknown>> = {},
): EventView {
  const emitted = fact.event_type === 'event_emitted' ? fact.payload : null;
  const severity = severityOf(fact);
  const about = emitted === null ? {} : { name: emitted.name, data: parsed(emitted.data) };
  return {
    fact,
    names: emitted === null ? [fact.event_type] : [fact.event_type, emitted.name],
    topics: emitted === null || emitted.topic === '' ? [ledger] : [ledger, emitted.topic],
    severity,
    fields: { ...fact, severity, ...about, ...more },
  };
}

/** The value of JSON text; text that is none is a text. */
function parsed(json: string): unknown {
  if (json === '') return null;
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return json;
  }
}

/** The value at a dotted path; undefined where there is none. */
export function valueAt(fields: unknown, path: string): unknown {
  let value = fields;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** What an event has to say to who waits for it: the result of a task, or the data of an emitted event. */
export function said(fact: FactEvent, mostBytes: number): string {
  switch (fact.event_type) {
    case 'task_completed':
      return cut(fact.payload.result, mostBytes);
    case 'event_emitted':
      return cut(fact.payload.data, mostBytes);
    case 'task_failed':
    case 'task_attempt_failed':
      return cut(`${fact.payload.code}: ${fact.payload.message}`, mostBytes);
    default:
      return '';
  }
}

/** Bytes of an event that travel with a task. */
const mostContext = 16 * 1024;

/** The whole event as JSON, for the agent whose task it led to; what is too long is cut. */
export function contextOf({ fields }: EventView): string {
  const { previous_hash: _, version: __, ...told } = fields;
  const emitted = 'data' in told && typeof told['payload'] === 'object';
  // The data are there already, parsed.
  const { data: ___, ...rest } = emitted ? (told['payload'] as Record<string, unknown>) : {};
  return cut(JSON.stringify(emitted ? { ...told, payload: rest } : told, null, 1), mostContext);
}
