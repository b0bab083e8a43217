import { type Agent, isAlive } from '#chassis/agents.ts';
import { withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import { dateTime, duration, oneLine } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import type { Colors } from '../output.ts';
import { readAgents } from '../squad.ts';
import { table } from '../table.ts';

export interface AgentsOptions {
  readonly all?: boolean;
}

/** So long an agent that is gone is still shown; ms. */
const rememberMs = 60 * 60 * 1000;

/** Who is there, and what they are doing. */
export async function agents(io: Invocation, { all = false }: AgentsOptions): Promise<ExitCode> {
  const { output, signal } = io;
  const known = await withConnection(io, (connection) => readAgents(connection, signal));
  const now = Date.now();
  const shown = known.filter((agent) => all || isAlive(agent) || now - agent.seen_at < rememberMs);
  if (output.json) {
    output.document(shown, true);
    return 0;
  }
  if (shown.length === 0) {
    output.line('Nobody is there. `ravenhelm up` starts the services.');
    return 0;
  }
  const headings = ['agent', 'state', 'busy', 'since', 'heard', 'version', 'roles'];
  const rows = shown.map((agent) => [
    oneLine(agent.agent, 60),
    stateText(agent, output.colors),
    agent.capacity === 0 ? '' : `${agent.running} of ${agent.capacity}`,
    dateTime(agent.started_at),
    `${duration(Math.max(0, now - agent.seen_at))} ago`,
    agent.code_version,
    rolesOf(agent),
  ]);
  for (const line of table(headings, rows, output.screen.columns)) output.line(line);
  return 0;
}

function stateText({ state, reason }: Agent, colors: Colors): string {
  const text = reason === '' ? state : `${state} (${oneLine(reason, 60)})`;
  switch (state) {
    case 'failed':
    case 'lost':
      return colors.red(text);
    case 'pending':
      return colors.yellow(text);
    case 'completed':
      return colors.dim(text);
    default:
      return colors.green(text);
  }
}

/** Those that it works for come first. */
function rolesOf({ roles, pools }: Agent): string {
  const busy = pools.filter(({ running }) => running > 0).map(({ role, running }) => `${role} (${running})`);
  const rest = roles.filter((role) => !pools.some((pool) => pool.role === role && pool.running > 0));
  return oneLine([...busy, ...rest].join(', '), 400);
}
