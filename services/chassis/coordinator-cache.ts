import { brokerErrorType } from './broker-error.ts';
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
type Ask = (this: Broker, request: { readonly transactionalId?: string }) => Promise<unknown>;

/**
 * kafkajs 2.2.4 asks who the transaction coordinator is twice in every transaction: two of its five round trips. Each
 * client remembers the answer as long as that broker is connected and answers as the coordinator. After any other answer
 * than that the last transaction is still being ended, the next request asks anew: the coordinator may have moved.
 */
export function rememberTransactionCoordinators(): void {
  const known = new WeakMap<object, Map<string, Broker>>();
  const doubted = new WeakMap<Broker, Set<string>>();
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
        const believed = remembered !== undefined && doubted.get(remembered)?.has(asked.groupId) !== true;
        if (believed && remembered.isConnected()) return remembered;
        const found = await find.call(this, asked);
        doubted.get(found)?.delete(asked.groupId);
        brokers.set(asked.groupId, found);
        return found;
      },
  );
  for (const name of ['initProducerId', 'addPartitionsToTxn', 'endTxn'])
    replaceMethod<Ask>(
      'kafkajs/src/broker',
      name,
      (ask) =>
        async function doubting(request) {
          try {
            return await ask.call(this, request);
          } catch (error) {
            const { transactionalId } = request;
            if (transactionalId !== undefined && brokerErrorType(error) !== 'CONCURRENT_TRANSACTIONS') {
              const ids = doubted.get(this) ?? new Set();
              doubted.set(this, ids.add(transactionalId));
            }
            throw error;
          }
        },
    );
}
