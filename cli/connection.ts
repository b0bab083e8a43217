import { asFailure, Failure } from '#chassis/failures.ts';
import { connectKafka, silenceKafkajsWarnings } from '#chassis/kafka.ts';
import { openLog } from '#chassis/log.ts';
import { openPublisher, type Publisher } from '#chassis/publisher.ts';
import type { StackAddress } from '#local/address.ts';
import { type Codec, openCodec } from '#schemas/codec.ts';
import { missionsSubject, type TopicNames, topicNames } from '#topics/table.ts';
import type { Invocation } from './invocation.ts';
import { findAddress, type Place, placeOf } from './place.ts';

export type Kafka = ReturnType<typeof connectKafka>;
export type Admin = ReturnType<Kafka['admin']>;

/** The clients of one command. Each is opened when it is first asked for; `close` closes those that were. */
export interface Connection {
  readonly place: Place;
  readonly address: StackAddress;
  readonly topics: TopicNames;
  readonly kafka: Kafka;
  admin(): Promise<Admin>;
  codec(): Promise<Codec>;
  publisher(): Promise<Publisher>;
  /** First and next offset of each partition of a topic. Throws `topic_missing`. */
  offsets(topic: string): Promise<ReadonlyMap<number, { readonly low: number; readonly high: number }>>;
  /** The first offset of each partition that was written then or later, by its time stamp; where there is none, its end. */
  offsetsSince(topic: string, epochMs: number): Promise<ReadonlyMap<number, number>>;
  close(): Promise<void>;
}

/** How long brokers and registry may take to answer a person. */
const patienceMs = 15_000;

/** Runs `use` with the clients, and closes them whatever happens. Throws `services_not_running` when nothing runs. */
export async function withConnection<T>(
  io: Pick<Invocation, 'env' | 'signal'>,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const place = placeOf(io.env);
  const connection = connect(place, await findAddress(place, io.env), io.signal);
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

function connect(place: Place, address: StackAddress, signal: AbortSignal): Connection {
  silenceKafkajsWarnings();
  // kafkajs's own words are for services; a person gets a failure that says what to do.
  const log = openLog('ravenhelm', 'silent');
  const kafka = connectKafka({ brokers: address.brokers, clientId: `ravenhelm-${process.pid}`, log });
  const topics = topicNames(place.prefix);
  const within = () => AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const brokers = `the brokers at ${address.brokers.join(', ')}`;

  const admin = once(async () => {
    const client = kafka.admin({ retry: { retries: 10 } });
    await inTime(client.connect(), within(), brokers);
    return client;
  });
  const codec = once(() =>
    openCodec(address.registry, { missionsSubject: missionsSubject(place.prefix), signal: within() }),
  );
  const publisher = once(() => inTime(openPublisher(kafka, log), within(), brokers));

  async function askAbout<T>(topic: string, answer: Promise<T>): Promise<T> {
    try {
      return await inTime(answer, within(), brokers);
    } catch (error) {
      if (!/UNKNOWN_TOPIC|does not host this topic/i.test(String(error))) throw error;
      throw new Failure('topic_missing', `found no topic ${topic}`, { cause: error });
    }
  }

  return {
    place,
    address,
    topics,
    kafka,
    admin: admin.get,
    codec: codec.get,
    publisher: publisher.get,
    async offsets(topic) {
      const client = await admin.get();
      const found = await askAbout(topic, client.fetchTopicOffsets(topic));
      return new Map(
        found.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]),
      );
    },
    async offsetsSince(topic, epochMs) {
      const client = await admin.get();
      const found = await askAbout(topic, client.fetchTopicOffsetsByTimestamp(topic, epochMs));
      return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]));
    },
    async close() {
      await publisher.opened?.then((opened) => opened.close(1000)).catch(() => undefined);
      await admin.opened?.then((opened) => opened.disconnect()).catch(() => undefined);
    },
  };
}

function once<T>(open: () => Promise<T>) {
  let opened: Promise<T> | undefined;
  return {
    get: () => {
      opened ??= open();
      return opened;
    },
    get opened() {
      return opened;
    },
  };
}

async function inTime<T>(promise: Promise<T>, signal: AbortSignal, whom: string): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () =>
      reject(
        signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
          ? new Failure('broker_unavailable', `${whom} did not answer within ${patienceMs / 1000} s`)
          : new Failure('aborted', 'interrupted'),
      );
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('broker_unavailable', `${whom}: ${asFailure(error).message}`, { cause: error });
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
