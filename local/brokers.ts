import type { ComponentName, PortName, StackState } from './state.ts';

/** How many brokers a local stack may have: one, or the three that keep a majority when one of them is away. */
export const brokerCounts = [1, 3] as const;
export type BrokerCount = (typeof brokerCounts)[number];

/** A broker of the stack. Each is its own controller, too. */
export interface Broker {
  readonly id: number;
  /** `kafka` when it is the only one, else `kafka-1` and so on. */
  readonly name: BrokerName;
  readonly kafka: number;
  readonly controller: number;
}

export const severalNames = ['kafka-1', 'kafka-2', 'kafka-3'] as const;
export type BrokerName = 'kafka' | (typeof severalNames)[number];

export function brokerNames(count: BrokerCount): readonly BrokerName[] {
  return count === 1 ? ['kafka'] : severalNames;
}

/** The components of a stack that runs on a Java, in the order in which they are told to people. */
export function componentsOf(count: BrokerCount): readonly ComponentName[] {
  return [...brokerNames(count), 'postgres', 'apicurio', 'registry'];
}

export function isBroker(name: ComponentName): name is BrokerName {
  return name.startsWith('kafka');
}

/** The names of the ports of each broker, the first broker first. */
const portNames = [
  ['kafka', 'controller'],
  ['kafka-2', 'controller-2'],
  ['kafka-3', 'controller-3'],
] as const;

export function portsOfBroker(name: BrokerName): readonly [PortName, PortName] {
  return portNames[name === 'kafka' ? 0 : severalNames.indexOf(name)] ?? portNames[0];
}

export function brokersOf({ brokers, ports }: Pick<StackState, 'brokers' | 'ports'>): readonly Broker[] {
  return brokerNames(brokers).map((name, i) => {
    const [kafka, controller] = portsOfBroker(name);
    return { id: i + 1, name, kafka: ports[kafka] ?? 0, controller: ports[controller] ?? 0 };
  });
}

/** What clients are given: each broker, so that any of them may be away when they start. */
export function bootstrapOf(state: Pick<StackState, 'brokers' | 'ports'>): string[] {
  return brokersOf(state).map(({ kafka }) => `127.0.0.1:${kafka}`);
}
