import type { LetterEvent } from './letter-events.ts';

/** What was decided about one letter, by whom, when and why. */
export interface LetterDecided {
  readonly what: 'recorded' | 'edited' | 'redriven' | 'archived' | 'parked' | 'refused';
  readonly by: string;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The request that caused it; empty: none. */
  readonly request: string;
  /** What changed, where it was sent, or why not; for people. */
  readonly detail: string;
}

/** `new`: the retrier has not seen it yet. */
export type LetterState = 'new' | 'waiting' | 'redriven' | 'archived' | 'parked';
export const letterStates = ['new', 'waiting', 'redriven', 'archived', 'parked'] as const;

export interface LetterHistory {
  readonly state: LetterState;
  readonly decided: readonly LetterDecided[];
  /** The request of the newest edit; null: its bytes are as they came. */
  readonly edit: string | null;
  /** SHA-256 of the bytes as they are now; empty while it is new. */
  readonly hash: string;
}

export const noHistory: LetterHistory = { state: 'new', decided: [], edit: null, hash: '' };

/** One event more. A refusal changes nothing, and is remembered. */
export function evolve(history: LetterHistory, event: LetterEvent): LetterHistory {
  const decided = [...history.decided, decisionOf(event)];
  switch (event.event_type) {
    case 'dead_letter_recorded':
      return { ...history, decided, state: 'waiting', hash: event.payload.hash };
    case 'dead_letter_edited':
      return { ...history, decided, edit: event.causation_id, hash: event.payload.edited_hash };
    case 'dead_letter_redriven':
      return { ...history, decided, state: 'redriven' };
    case 'dead_letter_archived':
      return { ...history, decided, state: 'archived' };
    case 'dead_letter_parked':
      return { ...history, decided, state: 'parked' };
    case 'dead_letter_refused':
      return { ...history, decided };
    default:
      return event satisfies never;
  }
}

export function decisionOf(event: LetterEvent): LetterDecided {
  const { timestamp: at, causation_id: request } = event;
  switch (event.event_type) {
    case 'dead_letter_recorded': {
      const { service, code, message } = event.payload;
      return { what: 'recorded', by: service, reason: code, at, request: '', detail: message };
    }
    case 'dead_letter_edited': {
      const { edited_by, reason, difference } = event.payload;
      return { what: 'edited', by: edited_by, reason, at, request, detail: difference };
    }
    case 'dead_letter_redriven': {
      const { redriven_by, reason, topic, upcast } = event.payload;
      const detail = `to ${topic}${upcast ? ', with the newest schema' : ''}`;
      return { what: 'redriven', by: redriven_by, reason, at, request, detail };
    }
    case 'dead_letter_archived': {
      const { archived_by, reason } = event.payload;
      return { what: 'archived', by: archived_by, reason, at, request, detail: '' };
    }
    case 'dead_letter_parked': {
      const { parked_by, reason } = event.payload;
      return { what: 'parked', by: parked_by, reason, at, request, detail: '' };
    }
    case 'dead_letter_refused': {
      const { requested_by, action, code, message } = event.payload;
      return {
        what: 'refused',
        by: requested_by,
        reason: code,
        at,
        request,
        detail: `${action}: ${message}`,
      };
    }
    default:
      return event satisfies never;
  }
}
