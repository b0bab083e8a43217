import { replaceMethod } from './kafkajs-inside.ts';

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
 */
export function rememberTransactionCoordinators(): void {
  const known = new WeakMap<object, Map<string, Broker>>();
  replaceMethod<Find>(
    'kafkajs/src/cluster',
    'findGroupCoordinator',
    (find) =>
      async function remembering(asked) {
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
      },
  );
}
