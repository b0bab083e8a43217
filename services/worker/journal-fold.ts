import { Failure } from '#chassis/failures.ts';
import { type ChainTail, emptyChain, hashChain } from '#schemas/codec.ts';
import type { Amounts, PayloadOf } from '#schemas/types.gen.ts';
import type { StepEvent } from './journal.ts';
import type { Effect } from './tools/tool.ts';

/** A decoded record of the steps topic, with its bytes. */
export interface JournalRecord {
  readonly event: StepEvent;
  readonly bytes: Buffer;
}

export type Outcome =
  | { readonly kind: 'model'; readonly ended: PayloadOf<'model_call_ended'> }
  | { readonly kind: 'tool'; readonly ended: PayloadOf<'tool_call_ended'> };

/** A call that was begun and whose outcome is not in the journal. */
export type Unfinished =
  | {
      readonly kind: 'model';
      readonly step: number;
      /** The most that it can have used up, where that is limited. */
      readonly most: Amounts | null;
    }
  | {
      readonly kind: 'tool';
      readonly step: number;
      readonly call_id: string;
      readonly tool: string;
      readonly effect: Effect;
      /** The approval under which it was begun; empty: none. */
      readonly review_id: string;
    };

/** What earlier leases of an attempt have done. */
export interface Recorded {
  /** By step. */
  readonly outcomes: ReadonlyMap<number, Outcome>;
  /** The first step without an outcome. */
  readonly nextStep: number;
  readonly unfinished: Unfinished | null;
  /** Calls of models that were begun, and whose end nobody has heard of: the most that each can have used up. */
  readonly lost: readonly Amounts[];
  readonly tail: ChainTail;
}

export const nothingRecorded: Recorded = {
  outcomes: new Map(),
  nextStep: 1,
  unfinished: null,
  lost: [],
  tail: emptyChain,
};

/**
 * Folds the records of one attempt, in log order; those of other tasks and attempts are passed over.
 *
 * A `journal_resumed` marker ends all older leases: what they write after it does not count. A record that a lost
 * answer wrote twice counts once. Throws `ledger_broken` when the chain has a gap or was changed, and `lease_lost`
 * when a newer lease than ours has written here.
 */
export function foldJournal(
  records: Iterable<JournalRecord>,
  task: { mission_id: string; task_id: string; attempt: number; lease: number },
): Recorded {
  const outcomes = new Map<number, Outcome>();
  const lost: Amounts[] = [];
  const hashes: string[] = [];
  let unfinished: Unfinished | null = null;
  let oldestLease = 0;
  let tail = emptyChain;

  for (const { event, bytes } of records) {
    const { payload } = event;
    if (event.correlation_id !== task.mission_id) continue;
    if (payload.task_id !== task.task_id || payload.attempt !== task.attempt) continue;
    if (payload.lease > task.lease) {
      throw new Failure(
        'lease_lost',
        `found lease ${payload.lease} in the journal, expected at most ${task.lease}`,
      );
    }
    if (payload.lease < oldestLease) continue;
    if (event.event_type === 'journal_resumed') {
      oldestLease = payload.lease;
      continue;
    }
    const next = hashChain(tail, bytes);
    if (event.sequence <= tail.sequence && hashes[event.sequence - 1] === next.hash) continue;
    if (event.sequence !== tail.sequence + 1 || event.previous_hash !== tail.hash) {
      throw new Failure(
        'ledger_broken',
        `journal of ${task.mission_id}/${task.task_id} attempt ${task.attempt}: found sequence ${event.sequence} after ` +
          `${event.previous_hash || 'nothing'}, expected ${tail.sequence + 1} after ${tail.hash || 'nothing'}`,
      );
    }
    hashes.push(next.hash);
    tail = next;

    switch (event.event_type) {
      case 'model_call_started':
        // An intent after an intent: the lease that wrote the first one died before the outcome.
        if (unfinished?.kind === 'model' && unfinished.most !== null) lost.push(unfinished.most);
        unfinished = { kind: 'model', step: event.payload.step, most: event.payload.most };
        break;
      case 'tool_call_started': {
        const { step, call_id, tool, effect, review_id } = event.payload;
        unfinished = { kind: 'tool', step, call_id, tool, effect: knownEffect(effect), review_id };
        break;
      }
      case 'model_call_ended':
        outcomes.set(event.payload.step, { kind: 'model', ended: event.payload });
        unfinished = null;
        break;
      case 'tool_call_ended':
        outcomes.set(event.payload.step, { kind: 'tool', ended: event.payload });
        unfinished = null;
        break;
      default:
        event satisfies never;
    }
  }
  if (unfinished?.kind === 'model' && unfinished.most !== null) lost.push(unfinished.most);
  return { outcomes, nextStep: outcomes.size + 1, unfinished, lost, tail };
}

/** An effect that this version does not know is treated as the one that must not be repeated. */
const knownEffect = (effect: string): Effect =>
  effect === 'none' || effect === 'idempotent' ? effect : 'once';
