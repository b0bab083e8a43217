import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { Failure } from '#chassis/failures.ts';
import type { BrokerCount } from './brokers.ts';
import type { PortName, Ports } from './state.ts';

/** Redpanda's, where it has one. */
export const defaultPorts: Ports = {
  kafka: 19092,
  controller: 19093,
  registry: 18081,
  apicurio: 18082,
  postgres: 15432,
  console: 18080,
};

/** The system hands out ports from here on by itself: one of those may be gone between two starts. */
const ephemeral = 32_768;
const lowest = 10_240;

/** Whether nothing listens there on loopback. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

const furtherBrokers = { 'kafka-2': 19094, 'controller-2': 19095, 'kafka-3': 19096, 'controller-3': 19097 };

/** Where to look first: the defaults, or (for stacks side by side) somewhere at random. */
export function wishes(ports: 'default' | 'free', brokers: BrokerCount = 1): Ports {
  const wished: Ports = brokers === 1 ? defaultPorts : { ...defaultPorts, ...furtherBrokers };
  if (ports === 'default') return wished;
  const start = randomInt(lowest, ephemeral - 200);
  const moved = { ...wished };
  for (const [i, name] of (Object.keys(wished) as PortName[]).entries()) moved[name] = start + i;
  return moved;
}

/**
 * The wished ports where they are free, else the next free ones below 32768; each used once. `keep` are those that
 * our own running processes hold. Calls `moved` for each that is not as wished.
 */
export async function choosePorts(
  wished: Ports,
  keep: ReadonlySet<PortName>,
  moved: (name: PortName, from: number, to: number) => void,
  free: (port: number) => Promise<boolean> = isFree,
): Promise<Ports> {
  const names = Object.keys(wished) as PortName[];
  const chosen = { ...wished };
  const used = new Set(names.filter((name) => keep.has(name)).map((name) => wished[name]));
  for (const name of names) {
    const wish = wished[name];
    if (wish === undefined || keep.has(name)) continue;
    const found = await nextFree(wish, used, free);
    chosen[name] = found;
    used.add(found);
    if (found !== wish) moved(name, wish, found);
  }
  return chosen;
}

async function nextFree(
  from: number,
  used: ReadonlySet<number | undefined>,
  free: (port: number) => Promise<boolean>,
): Promise<number> {
  for (let port = from; port < Math.min(from + 200, ephemeral); port++) {
    if (!used.has(port) && (await free(port))) return port;
  }
  throw new Failure(
    'stack_port_taken',
    `port ${from} and the next ones are taken; free one of them, or set the addresses of a running stack`,
  );
}
