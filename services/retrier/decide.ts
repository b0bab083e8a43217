import { Failure, type FailureCode } from '#chassis/failures.ts';
import type { PayloadOf } from '#schemas/types.gen.ts';
import type { Letter } from './letter.ts';

export const actions = ['redrive', 'edit', 'archive', 'park'] as const;
export type Action = (typeof actions)[number];

/** What a person asks for, of one letter. */
export interface Request {
  /** Of the request; asking twice with one id is asking once. */
  readonly id: string;
  readonly action: Action;
  readonly by: string;
  readonly reason: string;
  readonly rate: number;
  readonly force: boolean;
  /** Of an edit. */
  readonly original_hash: string;
  readonly edited_hash: string;
}

export interface DecideSettings {
  /** How often a letter is sent again before it is parked. */
  readonly mostRedrives: number;
  /** Its place in the queue, if it is put there. */
  readonly number: number;
  /** Whether records are sent back to this topic. */
  readonly returns: (topic: string) => boolean;
}

/** What becomes of the letter; `queued` ones are sent later. */
export type LetterDecision =
  | { readonly kind: 'queued' | 'archived' | 'parked' | 'edited'; readonly letter: Letter }
  | { readonly kind: 'refused'; readonly code: FailureCode; readonly message: string }
  /** The same request came twice. */
  | { readonly kind: 'known' };

/** Whether and what is done with a letter that somebody asks for. Pure: no clock, no bytes. */
export function decide(
  letter: Letter | undefined,
  id: string,
  request: Request,
  settings: DecideSettings,
): LetterDecision {
  const refused = (code: FailureCode, message: string): LetterDecision => ({
    kind: 'refused',
    code,
    message: `letter ${id}: ${message}`,
  });
  if (letter === undefined) return refused('not_found', 'the retrier knows no such letter, or not yet');
  if (letter.order?.request === request.id) return { kind: 'known' };
  if (letter.state === 'redriven' || letter.state === 'archived') {
    return refused('letter_settled', `it is ${letter.state} already`);
  }
  if (letter.state === 'queued') return refused('letter_settled', 'it is about to be sent again');
  switch (request.action) {
    case 'redrive':
      return redrive(letter, request, settings, refused);
    case 'archive':
      return { kind: 'archived', letter: { ...letter, state: 'archived' } };
    case 'park':
      if (letter.state === 'parked') return refused('letter_parked', 'it is parked already');
      return { kind: 'parked', letter: { ...letter, state: 'parked' } };
    case 'edit':
      if (letter.hash !== request.original_hash) {
        return refused('letter_changed', `found the bytes ${letter.hash}, expected ${request.original_hash}`);
      }
      return { kind: 'edited', letter: { ...letter, hash: request.edited_hash } };
    default: {
      const unknown: never = request.action;
      throw new Failure('internal_error', `not an action: ${String(unknown)}`);
    }
  }
}

function redrive(
  letter: Letter,
  { id, by, reason, rate, force }: Request,
  { mostRedrives, number, returns }: DecideSettings,
  refused: (code: FailureCode, message: string) => LetterDecision,
): LetterDecision {
  if (!returns(letter.topic)) {
    return refused('letter_not_returnable', `nothing is sent back to ${letter.topic || 'no topic'}`);
  }
  if (letter.told) {
    return refused('letter_not_returnable', 'its task was told that it has failed, and has gone on');
  }
  if (letter.state === 'parked' && !force) {
    return refused('letter_parked', 'it is parked; --force sends it all the same');
  }
  if (letter.redrives >= mostRedrives && !force) {
    return { kind: 'parked', letter: { ...letter, state: 'parked' } };
  }
  return {
    kind: 'queued',
    letter: { ...letter, state: 'queued', order: { request: id, by, reason, rate, number } },
  };
}

/** Throws Failure `invalid_payload` for what is no action. */
export function actionOf({ action }: Pick<PayloadOf<'dead_letter_requested'>, 'action'>): Action {
  const found = actions.find((each) => each === action);
  if (found !== undefined) return found;
  throw new Failure(
    'invalid_payload',
    `payload.action: found ${JSON.stringify(action)}, expected ${actions.join(', ')}`,
  );
}
