import { brokerErrorType, isRefusal } from './broker-error.ts';
import { type Broker, produceRequest, protocolError, replaceFunction } from './kafkajs-inside.ts';

/**
 * How kafkajs 2.2.4 sends the records of one call, written anew. Its own function keeps what was answered by broker and
 * asks again while other brokers still write: with more than one broker it loses and repeats records, also inside a
 * transaction. Here
 *
 * - a transaction learns of all its partitions in one request, before anything is produced; that request may be
 *   repeated. What is produced then is produced once: any error ends the transaction, as only its abort knows what of it
 *   was written;
 * - outside transactions the outcome is kept by partition. What has no outcome goes again under the sequence number that
 *   it had, also to another broker, and also when the caller asks again with the very same arrays of messages. After a
 *   send that failed for good the producer gets a new id, as nobody knows which of its numbers the brokers have;
 * - nothing is asked again before all brokers have answered.
 *
 * Sends that share a partition must not overlap: whoever sends sees to that.
 */
export function repairSends(): void {
  replaceFunction<CreateSend>(
    'kafkajs/src/producer/sendMessages',
    /kafkajs.src.producer.messageProducer\.js$/,
    () => createSend,
  );
}

type CreateSend = (parts: SendParts) => (request: SendRequest) => Promise<readonly PartitionAnswer[]>;

export interface Message {
  readonly value: Buffer | null;
}

export interface SendRequest {
  readonly acks: number;
  readonly timeout?: number;
  readonly compression?: number;
  readonly topicMessages: readonly { readonly topic: string; readonly messages: readonly Message[] }[];
}

export interface PartitionAnswer {
  readonly topicName: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: string;
}

interface PartitionMetadata {
  readonly partitionId: number;
  readonly leader: number;
}

/** What of kafkajs's client a send needs. */
export interface SendParts {
  readonly cluster: Cluster;
  readonly partitioner: (given: {
    topic: string;
    partitionMetadata: readonly PartitionMetadata[];
    message: Message;
  }) => number;
  readonly eosManager: EosManager;
  readonly retrier: <T>(run: (bail: (error: unknown) => void) => Promise<T>) => Promise<T>;
}

interface Cluster {
  /** What is looked up when leaders are looked up. */
  readonly targetTopics: Set<string>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[];
  findBroker(broker: { nodeId: number }): Promise<Broker>;
}

interface EosManager {
  isTransactional(): boolean;
  getTransactionalId(): string;
  getProducerId(): string;
  getProducerEpoch(): number;
  getSequence(topic: string, partition: number): number;
  updateSequence(topic: string, partition: number, increment: number): void;
  initProducerId(): Promise<void>;
  addPartitionsToTransaction(topics: readonly TopicBatches[]): Promise<void>;
}

interface TopicBatches {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number }[];
}

/** The records of one send for one partition. */
interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly messages: Message[];
  /** The producer whose number it has; null before the first try. */
  producer: { readonly id: string; readonly epoch: number } | null;
  /** The sequence number of the first record. */
  first: number;
  answer: PartitionAnswer | null;
}

// Codes of Kafka's protocol.
const unknownServerError = -1;
const unknownTopic = 3;
const noLeader = 5;
/** The broker has the batch already, from a try whose answer was lost. */
const alreadyWritten = 46;

/** Longest time that a leader waits for its replicas, and that we wait for the leader; milliseconds. */
const ackTimeoutMs = 12_000;
const requestTimeoutMs = 15_000;

export const createSend: CreateSend = ({ cluster, partitioner, eosManager, retrier }) => {
  /** A send was refused: what it had been numbered as is a gap, or not. */
  let spent = false;
  let renewing: Promise<void> | null = null;
  /** Sends outside transactions that have not succeeded, by their arrays of messages. */
  const asked = new WeakMap<readonly Message[], readonly Batch[]>();

  async function lookUp({ topicMessages }: SendRequest): Promise<void> {
    await cluster.addMultipleTargetTopics(topicMessages.map(({ topic }) => topic));
    await cluster.refreshMetadataIfNecessary();
  }

  function place({ topicMessages }: SendRequest): readonly Batch[] {
    return topicMessages.flatMap(({ topic, messages }) => {
      const partitionMetadata = metadataOf(topic);
      const batches = new Map<number, Batch>();
      for (const message of messages) {
        const partition = Number(partitioner({ topic, partitionMetadata, message }));
        const batch = batches.get(partition);
        if (batch !== undefined) batch.messages.push(message);
        else
          batches.set(partition, {
            ...{ topic, partition, messages: [message] },
            ...{ producer: null, first: 0, answer: null },
          });
      }
      return [...batches.values()];
    });
  }

  function metadataOf(topic: string): readonly PartitionMetadata[] {
    const found = cluster.findTopicPartitionMetadata(topic);
    if (found.length === 0) throw protocolError(unknownTopic);
    return found;
  }

  /** By the broker that leads them now, connected. */
  async function byLeader(batches: readonly Batch[]): Promise<Map<Broker, Batch[]>> {
    const led = new Map<number, Batch[]>();
    for (const batch of batches) {
      const leader = metadataOf(batch.topic).find(
        ({ partitionId }) => partitionId === batch.partition,
      )?.leader;
      if (leader === undefined || leader < 0) throw protocolError(noLeader);
      const others = led.get(leader);
      if (others === undefined) led.set(leader, [batch]);
      else others.push(batch);
    }
    const brokers = await Promise.all([...led.keys()].map((nodeId) => cluster.findBroker({ nodeId })));
    return new Map(brokers.map((broker, i) => [broker, [...led.values()][i] ?? []]));
  }

  function number(batches: readonly Batch[]): void {
    for (const batch of batches) {
      if (batch.producer !== null) continue;
      const { topic, partition, messages } = batch;
      batch.producer = { id: eosManager.getProducerId(), epoch: eosManager.getProducerEpoch() };
      batch.first = eosManager.getSequence(topic, partition);
      eosManager.updateSequence(topic, partition, messages.length);
    }
  }

  /** Asks all brokers at once. Throws when each has answered, and one of them, or one of their answers, was no. */
  async function produceAll(led: ReadonlyMap<Broker, readonly Batch[]>, request: SendRequest): Promise<void> {
    const errors = await Promise.all([...led].map(([broker, batches]) => produce(broker, batches, request)));
    const error = worst(errors.flat());
    if (error !== null) throw error;
  }

  /** Gives what went wrong. */
  async function produce(
    broker: Broker,
    batches: readonly Batch[],
    request: SendRequest,
  ): Promise<unknown[]> {
    let answers: readonly PartitionAnswer[];
    try {
      answers = await ask(broker, batches, request);
    } catch (error) {
      return [error];
    }
    const byPlace = new Map(answers.map((answer) => [`${answer.topicName}/${answer.partition}`, answer]));
    return batches.flatMap((batch) => {
      const answer = byPlace.get(`${batch.topic}/${batch.partition}`);
      const code = answer?.errorCode ?? unknownServerError;
      if (code !== 0 && code !== alreadyWritten) return protocolError(code);
      batch.answer = answer ?? null;
      return [];
    });
  }

  async function ask(
    broker: Broker,
    batches: readonly Batch[],
    { acks, timeout = ackTimeoutMs, compression }: SendRequest,
  ): Promise<readonly PartitionAnswer[]> {
    const producer = batches[0]?.producer;
    const { request, response } = produceRequest(broker, {
      acks,
      timeout,
      compression,
      transactionalId: eosManager.isTransactional() ? eosManager.getTransactionalId() : undefined,
      producerId: producer?.id,
      producerEpoch: producer?.epoch,
      topicData: byTopic(batches, ({ partition, messages, first }) => ({
        partition,
        messages,
        firstSequence: first,
      })),
    });
    try {
      // kafkajs reads the answer by throwing the first partition's error, and forgets the outcome of the others.
      const { topics } = await broker.connectionPool.send({
        request,
        response: { decode: response.decode, parse: (answer) => Promise.resolve(answer) },
        requestTimeout: requestTimeoutMs,
      });
      return topics.flatMap(({ topicName, partitions }) =>
        partitions.map((answer) => ({ topicName, ...answer })),
      );
    } catch (error) {
      if (error instanceof Error && error.name === 'KafkaJSConnectionClosedError') await broker.disconnect();
      throw error;
    }
  }

  async function inTransaction(request: SendRequest): Promise<readonly Batch[]> {
    const { batches, led } = await retrier((bail) =>
      trying(bail, async () => {
        await lookUp(request);
        const placed = place(request);
        await eosManager.addPartitionsToTransaction(byTopic(placed, ({ partition }) => ({ partition })));
        return { batches: placed, led: await byLeader(placed) };
      }),
    );
    number(batches);
    await produceAll(led, request);
    return batches;
  }

  async function outside(request: SendRequest): Promise<readonly Batch[]> {
    let batches: readonly Batch[] | null = unanswered(request);
    try {
      return await retrier((bail) =>
        trying(bail, async () => {
          if (spent) await (renewing ??= renew());
          await lookUp(request);
          if (batches === null) {
            batches = place(request);
            for (const { messages } of request.topicMessages) asked.set(messages, batches);
          }
          const open = batches.filter(({ answer }) => answer === null);
          const led = await byLeader(open);
          number(open);
          await produceAll(led, request);
          // The same arrays may be sent once more on purpose.
          for (const { messages } of request.topicMessages) asked.delete(messages);
          return batches;
        }),
      );
    } catch (error) {
      if (isRefusal(error)) {
        spent = true;
        for (const batch of batches ?? []) if (batch.answer === null) batch.producer = null;
      }
      throw error;
    }
  }

  /** The batches of a send that the caller asks for again. */
  function unanswered({ topicMessages }: SendRequest): readonly Batch[] | null {
    const [first] = topicMessages;
    const batches = first === undefined ? undefined : asked.get(first.messages);
    return batches?.[0]?.topic === first?.topic ? (batches ?? null) : null;
  }

  async function renew(): Promise<void> {
    try {
      await eosManager.initProducerId();
      spent = false;
    } finally {
      renewing = null;
    }
  }

  /** One try. What another try cannot mend ends the trying; before the next one, leaders are looked for anew. */
  async function trying<T>(bail: (error: unknown) => void, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (isRefusal(error)) bail(error);
      // A missing topic would fail the look-up of all others that this client has ever sent to.
      else if (brokerErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') cluster.targetTopics.clear();
      else if (!isBusy(error)) {
        // The next try finds out by itself that nobody answers.
        await cluster.refreshMetadata().catch(() => undefined);
      }
      throw new Error(messageOf(error), { cause: error });
    }
  }

  return async (request) => {
    const batches = await (eosManager.isTransactional() ? inTransaction(request) : outside(request));
    return batches.flatMap(({ answer }) => answer ?? []);
  };
};

function byTopic<T>(
  batches: readonly Batch[],
  part: (batch: Batch) => T,
): { topic: string; partitions: T[] }[] {
  const topics = new Map<string, T[]>();
  for (const batch of batches) {
    const parts = topics.get(batch.topic);
    if (parts === undefined) topics.set(batch.topic, [part(batch)]);
    else parts.push(part(batch));
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}

/** What blames a record, a topic or the producer says more than what blames the moment. */
const worst = (errors: readonly unknown[]): unknown => errors.find(isRefusal) ?? errors[0] ?? null;

/** The last transaction is being ended, or its coordinator is loading: no other broker would know more. */
const isBusy = (error: unknown): boolean =>
  ['CONCURRENT_TRANSACTIONS', 'GROUP_LOAD_IN_PROGRESS'].includes(brokerErrorType(error) ?? '');

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
