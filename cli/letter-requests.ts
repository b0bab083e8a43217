import { userInfo } from 'node:os';
import { v7 as uuid } from 'uuid';
import { Failure } from '#chassis/failures.ts';
import { processScrubber } from '#chassis/secrets.ts';
import type { Action } from '#retrier/decide.ts';
import { isLetterEvent, type LetterEvent } from '#retrier/letter-events.ts';
import type { EventOf, PayloadOf } from '#schemas/types.gen.ts';
import type { Connection } from './connection.ts';
import type { LetterView } from './letters.ts';
import { readDecoded } from './read-decoded.ts';

/** Letters that one request names. */
const mostLetters = 500;
/** How long the retrier may say nothing of what was asked for. */
const silentForMs = 60_000;

export interface Ask {
  readonly action: Action;
  readonly reason: string;
  /** Letters a second, over all partitions; 0: as many as go. */
  readonly rate?: number;
  readonly force?: boolean;
  readonly edit?: { readonly original_hash: string; readonly bytes: Buffer; readonly difference: string };
}

/**
 * Asks the retrier for something to be done with letters, and waits for what it says of each. Interrupted, what was
 * asked for goes on. Throws `deadline_exceeded` when the retrier says nothing for a minute.
 */
export async function askFor(
  connection: Connection,
  letters: readonly LetterView[],
  ask: Ask,
  signal: AbortSignal,
  each: (event: LetterEvent) => void,
): Promise<LetterEvent[]> {
  const { topics } = connection;
  const before = await connection.offsets(topics.dlqEvents);
  const requests = requestsFor(letters, ask);
  const [codec, publisher] = await Promise.all([connection.codec(), connection.publisher()]);
  await publisher.send(
    topics.dlqRequests,
    requests.map(({ partition, event }) => ({ key: event.event_id, value: codec.encode(event), partition })),
  );
  const ids = new Set(requests.map(({ event }) => event.event_id));
  const waiting = new Set(letters.map(({ id }) => id));
  const answers: LetterEvent[] = [];
  const late = new AbortController();
  let timer = setTimeout(() => late.abort(), silentForMs);
  try {
    await readDecoded(
      connection,
      {
        topic: topics.dlqEvents,
        from: new Map([...before].map(([partition, { high }]) => [partition, high])),
        until: 'follow',
        signal: AbortSignal.any([signal, late.signal]),
      },
      (_record, decode) => {
        const { value } = decode().decoded;
        if (!isLetterEvent(value) || !ids.has(value.causation_id)) return true;
        clearTimeout(timer);
        timer = setTimeout(() => late.abort(), silentForMs);
        waiting.delete(value.payload.dead_letter_id);
        answers.push(value);
        each(value);
        return waiting.size > 0;
      },
    );
  } finally {
    clearTimeout(timer);
  }
  signal.throwIfAborted();
  if (waiting.size === 0) return answers;
  const [one] = waiting;
  const silent = `the retrier says nothing of ${waiting.size} of ${letters.length} letters (${one} …)`;
  throw new Failure('deadline_exceeded', `${silent}; it goes on when it runs: \`ravenhelm status\``);
}

function requestsFor(
  letters: readonly LetterView[],
  { action, reason, rate = 0, force = false, edit }: Ask,
): { partition: number; event: EventOf<'dead_letter_requested'> }[] {
  const partitions = Map.groupBy(letters, ({ partition }) => partition);
  return [...partitions].flatMap(([partition, found]) =>
    Array.from({ length: Math.ceil(found.length / mostLetters) }, (_, chunk) => {
      const ids = found.slice(chunk * mostLetters, (chunk + 1) * mostLetters).map(({ id }) => id);
      return {
        partition,
        event: requestEvent({
          ...{
            action,
            letters: ids,
            requested_by: userName(),
            reason: processScrubber().text(reason),
            force,
          },
          // Each partition is sent by itself: each gets its share.
          rate: rate / partitions.size,
          original_hash: edit?.original_hash ?? '',
          edited: edit?.bytes.toString('base64') ?? '',
          difference: edit?.difference ?? '',
        }),
      };
    }),
  );
}

function requestEvent(payload: PayloadOf<'dead_letter_requested'>): EventOf<'dead_letter_requested'> {
  return {
    event_id: uuid(),
    event_type: 'dead_letter_requested',
    source_agent: 'person',
    target_agent: 'retrier',
    timestamp: Date.now(),
    version: 1,
    correlation_id: '',
    causation_id: '',
    priority: 'normal',
    sequence: 0,
    previous_hash: '',
    payload,
  };
}

/** As the operating system knows them; a process without an entry has only its number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
