import { resolve } from 'node:path';
import { addressOf, givenAddress, type StackAddress } from './address.ts';
import { confluentPath } from './apicurio.ts';
import { brokersOf } from './brokers.ts';
import { services } from './docker.ts';
import { logFile } from './logs.ts';
import { isRunning } from './processes.ts';
import { databaseProbe, kafkaProbe, type Probe, registryProbe } from './ready.ts';
import { type ComponentName, readState, type StackState } from './state.ts';

export interface ComponentStatus {
  name: string;
  /** `ready` answers; `silent` runs (or is given) and does not; `stopped` does not run. */
  state: 'ready' | 'silent' | 'stopped';
  /** Null where somebody else runs it. */
  pid: number | null;
  /** Without a password. */
  address: string;
  log: string | null;
}

export interface StackStatus {
  /** Null when there is no stack. */
  address: StackAddress | null;
  components: ComponentStatus[];
}

/** Asks each component once, for 3 s at most. Starts and changes nothing. */
export async function status(options: { dir: string; env?: NodeJS.ProcessEnv }): Promise<StackStatus> {
  const env = options.env ?? process.env;
  const dir = resolve(options.dir);
  const given = givenAddress(env);
  const state = given === null ? await readState(dir) : null;
  const address = given ?? (state === null ? null : addressOf(state));
  if (address === null) return { address, components: [] };
  const parts = partsOf(address, state);
  const stopped = state?.kind === 'docker' ? await withoutContainers(dir, env) : new Set<string>();
  const components = await Promise.all(
    parts.map(async (part): Promise<ComponentStatus> => {
      const record = state?.processes[part.name];
      const ours = state?.kind === 'jvm';
      const lives = ours ? record !== undefined && (await isRunning(record)) : !stopped.has(part.name);
      return {
        name: part.name,
        state: !lives ? 'stopped' : (await answers(part.probe)) ? 'ready' : 'silent',
        pid: lives && record !== undefined ? record.pid : null,
        address: part.address,
        log: ours ? logFile(dir, part.name) : null,
      };
    }),
  );
  return { address, components };
}

interface Part {
  name: ComponentName;
  address: string;
  probe: Probe;
}

function partsOf(address: StackAddress, state: StackState | null): Part[] {
  const ours = state?.kind === 'jvm' ? state : null;
  const apicurio = ours === null ? null : `http://127.0.0.1:${ours.ports.apicurio}${confluentPath}`;
  return [
    ...(ours === null ? [givenBrokers(address)] : ownBrokers(ours)),
    {
      name: 'postgres',
      address: withoutPassword(address.database),
      probe: databaseProbe(address.database),
    },
    ...(apicurio === null
      ? []
      : [{ name: 'apicurio' as const, address: apicurio, probe: registryProbe(apicurio) }]),
    {
      name: 'registry',
      address: withoutPassword(address.registry),
      probe: registryProbe(address.registry),
    },
  ];
}

/** One that answers is enough. */
const givenBrokers = ({ brokers }: StackAddress): Part => ({
  name: 'kafka',
  address: brokers.join(','),
  probe: (signal) => Promise.any(brokers.map((broker) => kafkaProbe(broker)(signal))),
});

const ownBrokers = (state: StackState): Part[] =>
  brokersOf(state).map(({ name, kafka }) => {
    const address = `127.0.0.1:${kafka}`;
    return { name, address, probe: kafkaProbe(address) };
  });

async function answers(probe: Probe): Promise<boolean> {
  return probe(AbortSignal.timeout(3_000)).then(
    () => true,
    () => false,
  );
}

/** The components whose container does not run. In Docker Redpanda is the registry, too. */
async function withoutContainers(dir: string, env: NodeJS.ProcessEnv): Promise<Set<string>> {
  const found = await services(dir, env, AbortSignal.timeout(10_000)).catch(() => []);
  const runs = (service: string) =>
    found.some(({ name, state }) => name === service && state.startsWith('running'));
  const stopped = new Set<string>();
  if (!runs('redpanda')) stopped.add('kafka').add('registry');
  if (!runs('postgres')) stopped.add('postgres');
  return stopped;
}

export function withoutPassword(url: string): string {
  try {
    const address = new URL(url);
    if (address.password !== '') address.password = '***';
    return address.href.replace(/\/$/, '');
  } catch {
    return 'not a URL';
  }
}
