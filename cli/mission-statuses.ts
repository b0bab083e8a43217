import type { Connection } from './connection.ts';
import { readDecoded } from './read-decoded.ts';

/** Where every mission stands, by what the orchestrator said last: `running`, `completed` … */
export async function missionStatuses(
  connection: Connection,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const statuses = new Map<string, string>();
  await readDecoded(
    connection,
    { topic: connection.topics.status, until: 'end', signal },
    ({ message }, decode) => {
      if (message.value === null) return;
      const { name, value } = decode().decoded;
      if (name === 'MissionStatus') statuses.set(value.correlation_id, value.payload.status);
    },
  );
  signal.throwIfAborted();
  return statuses;
}

export const missionHasEndedStatus = (status: string): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled' || status === 'rejected';
