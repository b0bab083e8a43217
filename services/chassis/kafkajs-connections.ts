import { finalError, replaceMethod } from './kafkajs-inside.ts';

/**
 * How a client looks for brokers, leaders and coordinators: for about nine seconds, as kafkajs does, but never with a pause
 * in which it would miss for long that they are back.
 */
export const clusterRetry = { initialRetryTime: 100, multiplier: 2, maxRetryTime: 500, retries: 20 };

interface Broker {
  readonly nodeId: number;
  readonly connectionPool: { readonly pool: readonly Connection[] };
  isConnected(): boolean;
  metadata(topics: readonly string[]): Promise<{ readonly brokers: readonly { readonly nodeId: number }[] }>;
}
interface Pool {
  readonly brokers: Readonly<Record<string, Broker>>;
  readonly metadata: { readonly topicMetadata: readonly { readonly topic: string }[] } | null;
  findBroker(asked: { readonly nodeId: string }): Promise<Broker>;
  findConnectedBroker(): Promise<Broker>;
}
type WithBroker = <T>(
  this: Pool,
  ask: (chosen: { nodeId: string; broker: Broker }) => Promise<T>,
) => Promise<T | null>;
type OpenOrClose = (this: Pool) => Promise<void>;
type ConnectCluster = (this: { readonly brokerPool: Pool; retry?: typeof clusterRetry }) => Promise<void>;
type FindController = (this: { readonly brokerPool: Pool }) => Promise<Broker>;

interface Request {
  readonly request: { readonly apiName: string };
  readonly requestTimeout?: number;
}
interface Connection {
  readonly socket?: { destroy(): void };
  readonly requestQueue: { readonly inflight: ReadonlyMap<number, { readonly sentAt: number }> };
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected(): boolean;
  rejectRequests(error: Error): void;
  disconnect(): Promise<unknown>;
}
type Send = (this: Connection, request: Request) => Promise<unknown>;
type Connect = (this: Connection) => Promise<unknown>;

/** How long a request waits before the other brokers are asked whether that broker is still there, and how often. */
const silentMs = 1500;
const watchMs = 500;
/** What a broker writes to its replicas before it answers: it may wait for one that is away. Milliseconds. */
const replicatedMs = 15_000;
const replicated: ReadonlySet<string> = new Set([
  'AddPartitionsToTxn',
  'CreateTopics',
  'DeleteTopics',
  'EndTxn',
  'InitProducerId',
  'OffsetCommit',
]);

/**
 * Where kafkajs 2.2.4 takes one broker that does not answer for all of them, and what goes with it:
 *
 * - a question that any broker can answer is asked of the next when one cannot be reached;
 * - a client that was closed stays closed, whatever it still tries again;
 * - a fence is tried again as often as all else;
 * - a broker that is silent for longer than a request may take has lost its connection: what else waits for it fails at
 *   once, and is asked elsewhere. (kafkajs keeps the connection, and each further request waits as long.) So has one that
 *   the others say is no longer part of the cluster, as happens to one that froze.
 */
export function leaveSilentBrokers(): void {
  replaceMethod<WithBroker>(
    'kafkajs/src/cluster/brokerPool',
    'withBroker',
    () =>
      async function withSomeBroker(ask) {
        let failed: unknown = null;
        for (const nodeId of shuffled(Object.keys(this.brokers))) {
          try {
            return await ask({ nodeId, broker: await this.findBroker({ nodeId }) });
          } catch (error) {
            failed = error;
          }
        }
        throw failed ?? new Error('no broker is known');
      },
  );
  const watches = new WeakMap<Pool, NodeJS.Timeout>();
  const closed = new WeakSet<Pool>();
  replaceMethod<OpenOrClose>(
    'kafkajs/src/cluster/brokerPool',
    'connect',
    (connect) =>
      async function connecting() {
        if (closed.has(this)) throw finalError('the client is closed');
        await connect.call(this);
        if (!watches.has(this)) watches.set(this, setInterval(() => void leaveFenced(this), watchMs).unref());
      },
  );
  replaceMethod<OpenOrClose>(
    'kafkajs/src/cluster/brokerPool',
    'disconnect',
    (disconnect) =>
      async function disconnecting() {
        clearInterval(watches.get(this));
        watches.delete(this);
        closed.add(this);
        await disconnect.call(this);
      },
  );
  replaceMethod<ConnectCluster>(
    'kafkajs/src/cluster',
    'connect',
    (connect) =>
      async function connectingCluster() {
        // What fences a producer reads its retries from here, where kafkajs never puts them.
        this.retry = clusterRetry;
        closed.delete(this.brokerPool);
        await connect.call(this);
      },
  );
  replaceMethod<FindController>(
    'kafkajs/src/cluster',
    'findControllerBroker',
    (find) =>
      async function findSomeController() {
        try {
          return await find.call(this);
        } catch {
          // Every broker passes on to the controller what is the controller's.
          return this.brokerPool.findConnectedBroker();
        }
      },
  );
  replaceMethod<Send>(
    'kafkajs/src/network/connection',
    'send',
    (send) =>
      async function sending(given) {
        try {
          const requestTimeout = replicated.has(given.request.apiName) ? replicatedMs : undefined;
          return await send.call(this, requestTimeout === undefined ? given : { ...given, requestTimeout });
        } catch (error) {
          if (error instanceof Error && error.name === 'KafkaJSRequestTimeoutError') hangUp(this, error);
          throw error;
        }
      },
  );
  replaceMethod<Connect>(
    'kafkajs/src/network/connection',
    'connect',
    (connect) =>
      async function connecting() {
        if (!this.isConnected()) forgetHalfAnswers(this);
        return connect.call(this);
      },
  );
}

/** Asks another broker about those that have been silent for a while. */
async function leaveFenced({ brokers, metadata }: Pool): Promise<void> {
  const connected = Object.values(brokers).filter((broker) => broker.isConnected());
  const silent = connected.filter(({ connectionPool }) => connectionPool.pool.some(isSilent));
  const other = shuffled(connected.filter((broker) => !silent.includes(broker)))[0];
  const topic = metadata?.topicMetadata[0]?.topic;
  if (silent.length === 0 || other === undefined || topic === undefined) return;
  try {
    const unfenced = new Set((await other.metadata([topic])).brokers.map(({ nodeId }) => nodeId));
    for (const { nodeId, connectionPool } of silent) {
      if (unfenced.has(nodeId)) continue;
      const error = Object.assign(
        new Error(`broker ${nodeId} is silent, and no longer part of the cluster`),
        {
          name: 'KafkaJSConnectionError',
        },
      );
      for (const connection of connectionPool.pool) hangUp(connection, error);
    }
  } catch {
    // Asked again in a moment, while there is somebody silent.
  }
}

function isSilent({ requestQueue: { inflight } }: Connection): boolean {
  const before = Date.now() - silentMs;
  for (const { sentAt } of inflight.values()) if (sentAt < before) return true;
  return false;
}

function hangUp(connection: Connection, error: Error): void {
  if (!connection.isConnected()) return;
  connection.rejectRequests(error);
  connection.socket?.destroy();
  void connection.disconnect();
}

/** What was left of an answer that broke off would be taken for the start of the next connection's first. */
function forgetHalfAnswers(connection: Connection): void {
  connection.chunks = [];
  connection.bytesBuffered = 0;
  connection.bytesNeeded = 4;
}

/** Each in turn is asked first, so that not all clients ask the same broker. */
function shuffled<T>(list: readonly T[]): T[] {
  const from = list.length === 0 ? 0 : Math.floor(Math.random() * list.length);
  return [...list.slice(from), ...list.slice(0, from)];
}
