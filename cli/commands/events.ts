import { Failure } from '#chassis/failures.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { type Connection, withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import { factDetail } from '../fact-line.ts';
import { timeOfDay } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { readLedger } from '../ledger.ts';
import { checkedMissionId } from '../mission-command.ts';
import { type Cell, table } from '../table.ts';

/** The facts of a mission, read from Kafka: a table, or as JSON a fact per line. */
export async function events(io: Invocation, mission: string): Promise<ExitCode> {
  const { output, signal } = io;
  const id = checkedMissionId(mission);
  const facts = await withConnection(io, (connection) => factsOf(connection, id, signal));
  signal.throwIfAborted();
  if (facts.length === 0) throw new Failure('not_found', `the ledger has no fact of mission ${id}`);
  if (output.json) for (const fact of facts) output.document(fact);
  else for (const line of timelineLines(facts, output.screen.columns)) output.line(line);
  return 0;
}

export async function factsOf(
  connection: Connection,
  mission: string,
  signal: AbortSignal,
): Promise<FactEvent[]> {
  const facts: FactEvent[] = [];
  await readLedger(connection, {
    mission,
    until: 'end',
    signal,
    each: ({ fact }) => {
      facts.push(fact);
    },
  });
  return facts;
}

/** One line per fact, with the milliseconds since the one before. */
export function timelineLines(facts: readonly FactEvent[], columns?: number): string[] {
  let before = facts[0]?.timestamp ?? 0;
  const rows = facts.map((fact): Cell[] => {
    const { sequence, timestamp, event_type, source_agent, target_agent } = fact;
    const since = timestamp - before;
    before = timestamp;
    const agents = `${source_agent} → ${target_agent}`;
    return [
      sequence,
      timeOfDay(timestamp),
      since === 0 ? '' : `+${since}`,
      event_type,
      agents,
      factDetail(fact),
    ];
  });
  return table(['seq', 'time', '+ms', 'event', 'source → target', 'what'], rows, columns);
}
