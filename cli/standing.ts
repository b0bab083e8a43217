import { asFailure, Failure } from '#chassis/failures.ts';
import { decodeStanding, StandingReactions } from '#correlator/standing.ts';
import type { StandingReaction } from '#schemas/types.gen.ts';
import type { Connection } from './connection.ts';
import { readDecoded } from './read-decoded.ts';

/** The subscriptions and aggregators that stand for every mission, as the topic has them now. */
export async function readStanding(connection: Connection, signal: AbortSignal): Promise<StandingReactions> {
  const codec = await connection.codec();
  const standing = new StandingReactions();
  const reading = { topic: connection.topics.reactions, until: 'end', signal } as const;
  await readDecoded(connection, reading, ({ message: { key, value } }, decode) => {
    const name = key?.toString() ?? '';
    if (value === null) standing.take(name, null);
    else {
      try {
        decode();
        standing.take(name, decodeStanding(codec, value));
      } catch (error) {
        // As the correlators do, which leave it out.
        if (!(error instanceof Failure)) throw asFailure(error);
      }
    }
    return true;
  });
  signal.throwIfAborted();
  return standing;
}

/** Resolves when the broker has them; a null takes a definition away. Correlators have them a moment later. */
export async function writeStanding(
  connection: Connection,
  definitions: ReadonlyMap<string, StandingReaction | null>,
): Promise<void> {
  const [codec, publisher] = await Promise.all([connection.codec(), connection.publisher()]);
  const records = [...definitions].map(([key, definition]) => ({
    key,
    value: definition && codec.encodeRecord('StandingReaction', definition),
  }));
  if (records.length > 0) await publisher.send(connection.topics.reactions, records);
}
