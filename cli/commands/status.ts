import { type ComponentStatus, status as stackStatus } from '#local/stack.ts';
import { type ServiceStatus, serviceStates } from '#supervisor/control.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import type { Colors } from '../output.ts';
import { placeOf } from '../place.ts';
import { table } from '../table.ts';

/** What `status --json` prints. Addresses are as clients take them (`brokers` is a comma-separated list); null: none. */
export interface StatusDocument {
  readonly brokers: string | null;
  readonly registry: string | null;
  /** With its password: it is what DATABASE_URL has to be. */
  readonly database: string | null;
  readonly console: string | null;
  readonly services: readonly Pick<ServiceStatus, 'name' | 'pid' | 'state' | 'restarts'>[];
}

export interface FullStatus extends StatusDocument {
  readonly components: readonly ComponentStatus[];
}

export async function statusDocument({ env }: Pick<Invocation, 'env'>): Promise<FullStatus> {
  const { home } = placeOf(env);
  const [{ address, components }, services] = await Promise.all([
    stackStatus({ dir: home, env }),
    serviceStates(home),
  ]);
  return {
    brokers: address?.brokers.join(',') ?? null,
    registry: address?.registry ?? null,
    database: address?.database ?? null,
    console: address?.console ?? null,
    services: services.map(({ name, pid, state, restarts }) => ({ name, pid, state, restarts })),
    components,
  };
}

/** Tells what runs. Exits 0 when all of it is ready, 1 when not. */
export async function status(io: Invocation): Promise<ExitCode> {
  const full = await statusDocument(io);
  const { components, ...document } = full;
  if (io.output.json) io.output.document(document, true);
  else for (const line of statusLines(full, io.output.colors)) io.output.line(line);
  const parts = [...components, ...document.services];
  return document.services.length > 0 && parts.every(({ state }) => state === 'ready') ? 0 : 1;
}

export function statusLines(
  { components, services, console, ...status }: FullStatus,
  colors: Colors,
): string[] {
  if (status.brokers === null) return ['Nothing runs here. `ravenhelm up` starts everything.'];
  const shown = (state: string) =>
    state === 'ready' ? colors.green(state) : state === 'starting' ? colors.yellow(state) : colors.red(state);
  const rows = [
    ...components.map(({ name, state, pid, address }) => [name, shown(state), pid, null, address]),
    ...(console === null ? [] : [['console', '', null, null, console]]),
    ...services.map(({ name, state, pid, restarts }) => [name, shown(state), pid, restarts, '']),
  ];
  const lines = table(['what', 'state', 'pid', 'restarts', 'address'], rows);
  if (services.length === 0) lines.push('No services run. `ravenhelm up` starts them.');
  return lines;
}
