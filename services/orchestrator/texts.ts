import type { PayloadOf } from '#schemas/types.gen.ts';
import type { FactDraft, FactEvent, FactType } from './facts.ts';

/**
 * The fields of facts that are texts for people, and that `decide` words. It may word them anew without a new version of
 * the rules: `verify` takes them as they were worded, and compares all else. What came with an input is on the ledger
 * as it came; what a person is asked (`review_requested`), and what agents are told, is compared.
 */
const texts: { readonly [T in FactType]?: readonly (keyof PayloadOf<T> & string)[] } = {
  plan_created: ['notes'],
  task_attempt_failed: ['message'],
  task_failed: ['message'],
  task_cancelled: ['reason'],
  compensation_failed: ['message'],
  error_raised: ['message'],
  undoing_started: ['message'],
  mission_failed: ['message'],
};

export const textsOf = (type: FactType): readonly string[] => texts[type] ?? [];

/** How a decision words its facts: each with its number in the decision, from 0. */
export type Words = (fact: FactDraft, position: number) => FactDraft;

/** As the code says it now. */
export const newWords: Words = (fact) => fact;

/** The fact, its texts as another of its type says them. */
export function inWordsOf(fact: FactDraft, other: FactDraft | FactEvent | undefined): FactDraft {
  if (other?.event_type !== fact.event_type) return fact;
  const said = Object.entries(other.payload).filter(([field]) => textsOf(fact.event_type).includes(field));
  if (said.length === 0) return fact;
  // The type says which fields these are.
  return { ...fact, payload: { ...fact.payload, ...Object.fromEntries(said) } } as FactDraft;
}
