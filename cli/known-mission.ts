import { Failure } from '#chassis/failures.ts';
import { partitionOf } from '#chassis/partitioner.ts';
import { readTopic } from '#chassis/reader.ts';
import type { Connection } from './connection.ts';
import { decodeInOrder } from './decoding.ts';

/** Where a mission stands by what the orchestrator said last (`running`, `completed` …); null when it knows none. */
export async function statusOf(
  connection: Connection,
  mission: string,
  signal: AbortSignal,
): Promise<string | null> {
  const codec = await connection.codec();
  let status: string | null = null;
  const decoder = decodeInOrder(codec, signal, ({ message }, decode) => {
    if (message.key?.toString() !== mission || message.value === null) return;
    const { name, value } = decode().decoded;
    if (name === 'MissionStatus') status = value.payload.status;
  });
  await readPartitionOf(connection, connection.topics.status, mission, signal, decoder.take);
  await decoder.end();
  signal.throwIfAborted();
  return status;
}

/** Whether somebody has sent a command with this id, which an orchestrator may not have read yet. */
export async function wasSubmitted(
  connection: Connection,
  mission: string,
  signal: AbortSignal,
): Promise<boolean> {
  let found = false;
  await readPartitionOf(connection, connection.topics.missions, mission, signal, ({ message }) => {
    found = message.key?.toString() === mission;
    return !found;
  });
  signal.throwIfAborted();
  return found;
}

/** An orchestrator ignores a second mission of the same id: whoever sends one would wait for ever. */
export const knownAlready = (mission: string, status: string): Failure =>
  new Failure(
    'invalid_arguments',
    `mission ${mission} is known already (${status}): \`ravenhelm mission ${mission}\` and \`ravenhelm watch ${mission}\` show it, another --id, or none, makes a new one`,
  );

async function readPartitionOf(
  { kafka, place, offsets }: Connection,
  topic: string,
  mission: string,
  signal: AbortSignal,
  each: Parameters<typeof readTopic>[0]['each'],
): Promise<void> {
  const { size } = await offsets(topic);
  const from = new Map([[partitionOf(mission, size), 0]]);
  await readTopic({ kafka, topic, prefix: place.prefix, from, until: 'end', signal, each });
}
