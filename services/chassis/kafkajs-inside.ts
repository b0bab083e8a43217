import { createRequire } from 'node:module';
import { z } from 'zod';
import { Failure } from './failures.ts';

// What is put into kafkajs where it has no setting and no plug. Its version is pinned, and a client that looks
// otherwise is refused at start. Once a process, before the first client is made.

const load = createRequire(import.meta.url);
const replaced = new WeakSet<object>();

type Fn = (...given: never[]) => unknown;

/** Puts another method into a class. `Method` is what kafkajs 2.2.4 has there. */
export function replaceMethod<Method extends Fn>(
  path:
    | 'kafkajs/src/broker'
    | 'kafkajs/src/cluster'
    | 'kafkajs/src/cluster/brokerPool'
    | 'kafkajs/src/consumer/consumerGroup'
    | 'kafkajs/src/network/connection',
  name: string,
  replacement: (original: Method) => Method,
): void {
  const found = classWith<Method>(name).safeParse(load(path));
  const original = found.data?.prototype[name];
  if (found.data === undefined || original === undefined) throw unexpected(`no method ${name} in ${path}`);
  if (replaced.has(original)) return;
  const method = replacement(original);
  replaced.add(method);
  found.data.prototype[name] = method;
}

/** Puts another function in the place of a module that is one, for those that load it from now on: `users` must not have. */
export function replaceFunction<Replaced extends Fn>(
  path: 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages' | 'kafkajs/src/producer/sendMessages',
  users: RegExp,
  replacement: (original: Replaced) => Replaced,
): void {
  const original = z.custom<Replaced>((found) => typeof found === 'function').safeParse(load(path));
  const module = load.cache[load.resolve(path)];
  if (!original.success || module === undefined) throw unexpected(`no function in ${path}`);
  if (replaced.has(original.data)) return;
  const early = Object.keys(load.cache).find((loaded) => users.test(loaded));
  if (early !== undefined) throw unexpected(`${early} loaded before ${path} was replaced`);
  const replacing = replacement(original.data);
  replaced.add(replacing);
  module.exports = replacing;
}

/** A connected broker, as kafkajs has it. */
export interface Broker {
  readonly nodeId: number;
  readonly connectionPool: {
    send(request: ProtocolRequest & { readonly requestTimeout: number }): Promise<ProduceAnswer>;
  };
  isConnected(): boolean;
  disconnect(): Promise<void>;
  lookupRequest(apiKey: number, definition: unknown): (given: object) => ProtocolRequest;
}

interface ProtocolRequest {
  readonly request: object;
  readonly response: {
    readonly decode: (bytes: Buffer) => Promise<unknown>;
    readonly parse: (answer: unknown) => Promise<unknown>;
  };
}

interface ProduceAnswer {
  readonly topics: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly baseOffset: string;
    }[];
  }[];
}

/** A produce request in the version that the broker speaks. */
export const produceRequest = (broker: Broker, given: object): ProtocolRequest =>
  broker.lookupRequest(0, load('kafkajs/src/protocol/requests/produce'))(given);

/** kafkajs's error for a code of Kafka's protocol; its `type` names it. */
export function protocolError(code: number): Error {
  const { createErrorFromCode } = load('kafkajs/src/protocol/error') as {
    createErrorFromCode: (code: number) => Error;
  };
  return createErrorFromCode(code);
}

/** An error of kafkajs's that nothing in it tries again after. */
export function finalError(message: string): Error {
  const { KafkaJSNonRetriableError } = load('kafkajs/src/errors') as {
    KafkaJSNonRetriableError: new (message: string) => Error;
  };
  return new KafkaJSNonRetriableError(message);
}

function classWith<Method>(name: string) {
  return z.custom<{ readonly prototype: Record<string, Method> }>((candidate) => {
    if (typeof candidate !== 'function') return false;
    const prototype: unknown = candidate.prototype;
    return (
      typeof prototype === 'object' &&
      prototype !== null &&
      typeof Reflect.get(prototype, name) === 'function'
    );
  });
}

const unexpected = (found: string) => new Failure('internal_error', `found ${found}, expected kafkajs 2.2.4`);

const pinned = z.object({ version: z.literal('2.2.4') });
if (!pinned.safeParse(load('kafkajs/package.json')).success) throw unexpected('another version');
