import { Failure } from '#chassis/failures.ts';
import { correlate, type Standing } from '#correlator/decide.ts';
import { endOf } from '#correlator/joins.ts';
import type { Correlation, Join } from '#correlator/state.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import { oneLine, timeOfDay } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { checkedMissionId } from '../mission-command.ts';
import { readStanding } from '../standing.ts';
import { table } from '../table.ts';
import { factsOf } from './events.ts';

/** How far the aggregators of a mission are: 2 of 3, and who is missing. */
export async function status(io: Invocation, mission: string): Promise<ExitCode> {
  const { output, signal } = io;
  const id = checkedMissionId(mission);
  const { facts, standing, ledger } = await withConnection(io, async (connection) => ({
    facts: await factsOf(connection, id, signal),
    standing: await readStanding(connection, signal),
    ledger: connection.topics.coordination,
  }));
  signal.throwIfAborted();
  if (facts.length === 0) throw new Failure('not_found', `the ledger has no fact of mission ${id}`);
  const joins = joinsOf(facts, (time) => standing.at(time), ledger);
  if (output.json) {
    output.document({ mission_id: id, aggregators: joins }, true);
    return 0;
  }
  if (joins.length === 0) output.line(`Mission ${id} has no aggregator that has begun.`);
  const rows = joins.map(({ name, status: now, of, received, missing, due_at }) => [
    name,
    now,
    `${received.length} of ${of}`,
    oneLine(received.map((each) => each.name).join(', ')),
    oneLine(missing.join(', ')),
    now === 'open' && due_at > 0 ? timeOfDay(due_at) : '',
  ]);
  const headings = ['aggregator', 'status', 'received', 'has', 'missing', 'until'];
  if (rows.length > 0) for (const line of table(headings, rows, output.screen.columns)) output.line(line);
  return 0;
}

export interface JoinView {
  readonly name: string;
  /** open, completed, timed_out; closed: its mission ended first. */
  readonly status: string;
  readonly of: number;
  readonly received: readonly { readonly name: string; readonly event_id: string }[];
  readonly missing: readonly string[];
  /** Epoch ms; 0: no timeout. */
  readonly due_at: number;
}

/** The correlator's own fold of the ledger, so that what a person sees is what it knows. */
export function joinsOf(
  facts: readonly FactEvent[],
  standingAt: (time: number) => Standing,
  ledger: string,
): JoinView[] {
  let state: Correlation | null = null;
  let joins: readonly Join[] = [];
  let over = false;
  for (const fact of facts) {
    state = correlate(state, fact, { standing: standingAt(fact.timestamp), ledger }).state;
    // It forgets a mission that has ended, and people do not.
    if (state === null && joins.length > 0) over = true;
    else joins = [...(state?.joins.values() ?? [])];
  }
  return joins.map((join) => ({
    name: join.aggregation,
    status: over && join.status === 'open' ? 'closed' : join.status,
    of: join.expected.length,
    received: join.received.map(({ name, event_id }) => ({ name, event_id })),
    missing: endOf(join, 0).missing,
    due_at: join.due_at,
  }));
}
