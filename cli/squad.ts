import { type Agent, Agents } from '#chassis/agents.ts';
import type { RoleStatisticsPayload } from '#schemas/types.gen.ts';
import { type Connection, withConnection } from './connection.ts';
import type { Invocation } from './invocation.ts';
import { readDecoded } from './read-decoded.ts';

const patienceMs = 15_000;

/** Every agent that the health topic still knows, as it is at this moment. */
export async function readAgents(connection: Connection, signal: AbortSignal): Promise<Agent[]> {
  const agents = new Agents();
  await readNewest(connection, connection.topics.health, signal, (key, decode) => {
    const found = decode?.();
    if (found === undefined) agents.remove(key);
    else if (found.name === 'AgentHealth') agents.add(found.value.payload, found.value.timestamp);
  });
  return agents.list(Date.now());
}

/** What has become of the tasks of each role that had any. */
export async function readStatistics(
  connection: Connection,
  signal: AbortSignal,
): Promise<Map<string, RoleStatisticsPayload>> {
  const roles = new Map<string, RoleStatisticsPayload>();
  await readNewest(connection, connection.topics.roles, signal, (key, decode) => {
    const found = decode?.();
    if (found?.name === 'RoleStatistics') roles.set(key, found.value.payload);
  });
  return roles;
}

export interface Squad {
  readonly agents: readonly Agent[];
  readonly statistics: ReadonlyMap<string, RoleStatisticsPayload>;
}

export const readSquad = (io: Invocation): Promise<Squad> =>
  withConnection(io, async (connection) => {
    const [agents, statistics] = await Promise.all([
      readAgents(connection, io.signal),
      readStatistics(connection, io.signal),
    ]);
    return { agents, statistics };
  });

type Decoded = ReturnType<Awaited<ReturnType<Connection['codec']>>['decode']>;

async function readNewest(
  connection: Connection,
  topic: string,
  signal: AbortSignal,
  each: (key: string, decode: (() => Decoded) | undefined) => void,
): Promise<void> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  await readDecoded(connection, { topic, until: 'end', signal: within }, ({ message }, decode) => {
    each(message.key?.toString() ?? '', message.value === null ? undefined : () => decode().decoded);
    return true;
  });
}
