import { Failure } from '#chassis/failures.ts';
import { isLetterEvent } from '#retrier/letter-events.ts';
import type { Connection } from './connection.ts';
import { type LetterView, sinceLetters } from './letters.ts';
import { readDecoded } from './read-decoded.ts';

/** How long the retrier may take to read what a person has read already; milliseconds. */
const behindMs = 30_000;

/**
 * Waits until the retrier knows all of these letters: what it does not know it refuses. Answers whether it had to.
 * Throws `deadline_exceeded` when that takes too long.
 */
export async function untilRecorded(
  connection: Connection,
  letters: readonly LetterView[],
  signal: AbortSignal,
): Promise<boolean> {
  const fresh = letters.filter(({ state }) => state === 'new');
  if (fresh.length === 0) return false;
  const waiting = new Set(fresh.map(({ id }) => id));
  const topic = connection.topics.dlqEvents;
  const records = fresh.map(({ partition, offset, record: message }) => ({ partition, offset, message }));
  const from = await sinceLetters(connection, topic, records);
  const late = AbortSignal.timeout(behindMs);
  await readDecoded(
    connection,
    { topic, from, until: 'follow', signal: AbortSignal.any([signal, late]) },
    (_record, decode) => {
      const { value } = decode().decoded;
      if (!isLetterEvent(value)) return true;
      if (value.event_type === 'dead_letter_recorded') waiting.delete(value.payload.dead_letter_id);
      return waiting.size > 0;
    },
  );
  signal.throwIfAborted();
  if (waiting.size === 0) return true;
  const [one] = waiting;
  const found = `the retrier has not read ${waiting.size} of ${letters.length} letters yet (${one} …)`;
  throw new Failure('deadline_exceeded', `${found}; does it run? \`ravenhelm status\``);
}
