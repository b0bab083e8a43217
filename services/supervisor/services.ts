import { join } from 'node:path';
import { environmentOf } from './environment.ts';

/** One process to keep alive. */
export interface ServiceSpec {
  /** Unique; names its log. */
  readonly name: string;
  /** What its health events call it. */
  readonly kind?: string;
  /** The file that node runs, and its arguments. */
  readonly main: string;
  readonly args: readonly string[];
  /** What of the supervisor's environment it is given; all of it where this is left out. */
  readonly environment?: (env: NodeJS.ProcessEnv) => NodeJS.ProcessEnv;
}

export type ServiceKind = 'orchestrator' | 'correlator' | 'worker' | 'projector' | 'statistics' | 'retrier';
export type Counts = Readonly<Record<ServiceKind, number>>;

const services = join(import.meta.dirname, '..');

/** What runs on one machine, and how many of each unless told otherwise. A new service is a line here. */
const table: Readonly<Record<ServiceKind, { readonly args: readonly string[]; readonly count: number }>> = {
  orchestrator: { args: [], count: 1 },
  correlator: { args: [], count: 1 },
  worker: { args: ['--roles', 'all'], count: 1 },
  projector: { args: [], count: 1 },
  statistics: { args: [], count: 1 },
  retrier: { args: [], count: 1 },
};

export const kinds = Object.keys(table) as ServiceKind[];

/** `orchestrator=2`, as the supervisor is started with. */
export const countFlags = (counts: Counts): string[] =>
  kinds.flatMap((kind) => ['--count', `${kind}=${counts[kind]}`]);

export function countsIn(flags: readonly string[]): Counts {
  return countsOf(
    Object.fromEntries(flags.map((flag) => flag.split('=')).map(([kind, number]) => [kind, Number(number)])),
  );
}

export function countsOf(wanted: Partial<Counts>): Counts {
  const counts = kinds.map((kind) => [kind, wanted[kind] ?? table[kind].count] as const);
  return Object.fromEntries(counts) as Record<ServiceKind, number>;
}

/** The first of a kind has its plain name, so that names stay when there are more: `worker`, `worker-2`, `worker-3`. */
export function servicesFor(counts: Counts): ServiceSpec[] {
  return kinds.flatMap((kind) =>
    Array.from({ length: counts[kind] }, (_, number) => ({
      name: number === 0 ? kind : `${kind}-${number + 1}`,
      kind,
      main: join(services, kind, 'main.ts'),
      args: table[kind].args,
      environment: (env: NodeJS.ProcessEnv) => environmentOf(kind, env),
    })),
  );
}
