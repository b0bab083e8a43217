import { mostRecordBytes } from '#chassis/decode-record.ts';
import { Failure } from '#chassis/failures.ts';

/**
 * What the records of a mission may measure. A record that nobody takes would fail the transaction of its partition,
 * and with it every mission there, again and again. So all is measured before the first effect, and a mission that has
 * outgrown its records fails alone.
 */

/** Below the 1 MiB of Kafka's `max.message.bytes`, with room for what renewals add without a fact. */
export const mostStateBytes = 900_000;
/** Readers refuse what is larger. */
export const mostFactBytes = mostRecordBytes;
/** By how much a fact can grow the state beyond its own bytes: statuses, times, counts. */
const perFact = 64;
/** By how much a task can that stands in no fact: one that undoes another. */
const perTask = 1_000;

/** Throws Failure `mission_too_large`. */
export function checkSize(what: string, length: number, most = mostFactBytes): void {
  if (length <= most) return;
  throw new Failure('mission_too_large', `${what}: found ${length} bytes, expected at most ${most}`);
}

/**
 * The most bytes that state and plan together can have in the changelog after these facts, or more: as a state grows by
 * no more than its facts say, it is measured only when that could be too much. Throws Failure `mission_too_large`.
 */
export function sizeAfter(
  before: number,
  grown: { readonly facts: readonly { readonly bytes: Buffer }[]; readonly tasks: number },
  measure: () => { readonly state: number; readonly plan: number },
): number {
  const added = grown.facts.reduce((sum, { bytes }) => sum + bytes.length + perFact, 0);
  const bound = before + added + Math.max(0, grown.tasks) * perTask;
  if (bound <= mostStateBytes) return bound;
  const { state, plan } = measure();
  checkSize('the state of the mission', state, mostStateBytes);
  checkSize('the plan of the mission', plan, mostStateBytes);
  return state + plan;
}
