import { createRequire } from 'node:module';
import { z } from 'zod';
import { Failure } from './failures.ts';

const transactionCoordinator = 1;

interface Broker {
  isConnected(): boolean;
}
interface Asked {
  readonly groupId: string;
  readonly coordinatorType?: number;
}
type Find = (this: object, asked: Asked) => Promise<Broker>;

/**
 * kafkajs 2.2.4 asks who the transaction coordinator is twice in every transaction: two of its five round trips. The
 * answer changes only when a broker fails over, and then the transaction fails, its producer is thrown away and a new
 * one asks again. So each client remembers the answer as long as that broker is connected.
 *
 * This reaches into the client. Its version is pinned, and a client that looks otherwise is refused at start.
 */
export function rememberTransactionCoordinators(): void {
  const required: unknown = createRequire(import.meta.url)('kafkajs/src/cluster');
  const cluster = z.custom<{ prototype: { findGroupCoordinator: Find } }>(hasFind).safeParse(required);
  if (!cluster.success) {
    throw new Failure(
      'internal_error',
      'found a kafkajs without Cluster.findGroupCoordinator, expected 2.2.4',
    );
  }
  const { prototype } = cluster.data;
  const find = prototype.findGroupCoordinator;
  if (find.name === remembering.name) return;
  const known = new WeakMap<object, Map<string, Broker>>();
  prototype.findGroupCoordinator = remembering;

  async function remembering(this: object, asked: Asked): Promise<Broker> {
    if (asked.coordinatorType !== transactionCoordinator) return find.call(this, asked);
    let brokers = known.get(this);
    if (brokers === undefined) {
      brokers = new Map();
      known.set(this, brokers);
    }
    const remembered = brokers.get(asked.groupId);
    if (remembered?.isConnected() === true) return remembered;
    const found = await find.call(this, asked);
    brokers.set(asked.groupId, found);
    return found;
  }
}

function hasFind(candidate: unknown): boolean {
  if (typeof candidate !== 'function') return false;
  const prototype: unknown = candidate.prototype;
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    'findGroupCoordinator' in prototype &&
    typeof prototype.findGroupCoordinator === 'function'
  );
}
