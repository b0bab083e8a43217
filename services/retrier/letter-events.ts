import type { EventOf } from '#schemas/types.gen.ts';

export type LetterEventType =
  | 'dead_letter_recorded'
  | 'dead_letter_edited'
  | 'dead_letter_redriven'
  | 'dead_letter_archived'
  | 'dead_letter_parked'
  | 'dead_letter_refused';
export type LetterEvent = { [T in LetterEventType]: EventOf<T> }[LetterEventType];
/** Type and payload; the envelope is made here. */
export type LetterFact = {
  [T in LetterEventType]: { readonly event_type: T; readonly payload: EventOf<T>['payload'] };
}[LetterEventType];

export const letterEventTypes = [
  'dead_letter_recorded',
  'dead_letter_edited',
  'dead_letter_redriven',
  'dead_letter_archived',
  'dead_letter_parked',
  'dead_letter_refused',
] as const satisfies readonly LetterEventType[];

export function isLetterEvent(event: object): event is LetterEvent {
  return 'event_type' in event && letterEventTypes.some((type) => type === event.event_type);
}

/** Ids are made of what caused them, so that the same decision is the same event. */
export function letterEvent(
  fact: LetterFact,
  of: { readonly cause: string; readonly mission: string; readonly now: number },
): LetterEvent {
  return {
    event_id: `${of.cause || 'dlq'}/${fact.payload.dead_letter_id}/${fact.event_type}`,
    source_agent: 'retrier',
    target_agent: '',
    timestamp: of.now,
    version: 1,
    correlation_id: of.mission,
    causation_id: of.cause,
    priority: 'normal',
    sequence: 0,
    previous_hash: '',
    ...fact,
  } as LetterEvent;
}
