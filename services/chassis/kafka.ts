import type { Kafka as Client, ISocketFactory, logCreator } from 'kafkajs';
import { registerCodecs } from './compression.ts';
import { Kafka, logLevel } from './kafkajs.ts';
import { clusterRetry } from './kafkajs-connections.ts';
import type { Logger } from './log.ts';

registerCodecs();

/** Everything about kafkajs that is set once, for every client that Ravenhelm opens. */
export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: Logger;
  /** How connections are opened; tests put a network that loses answers here. */
  readonly socketFactory?: ISocketFactory;
}

export function connectKafka({ brokers, clientId, log, socketFactory }: KafkaSettings): Client {
  return new Kafka({
    ...(socketFactory === undefined ? {} : { socketFactory }),
    brokers: [...brokers],
    clientId,
    connectionTimeout: 3000,
    // A request on a dead socket would otherwise be waited for until TCP gives up (kafkajs pull request 1783). What
    // brokers write to their replicas first may take longer: `kafkajs-connections.ts`, `kafkajs-sends.ts`.
    requestTimeout: 5000,
    enforceRequestTimeout: true,
    retry: clusterRetry,
    logCreator: logInto(log),
    logLevel: logLevel.INFO,
  });
}

/**
 * What kafkajs calls an error but is its way of working: back-to-back transactions meet CONCURRENT_TRANSACTIONS,
 * a rebalance interrupts a heartbeat, it announces each pause, and each client finds out for itself that a broker is away
 * or coordinates no longer. What comes of that is logged where it matters.
 */
const expected =
  /CONCURRENT_TRANSACTIONS|concurrent (transaction|operation)|rebalancing|Pausing fetching|Resuming fetching|Limiting retries|Connection: Connection error|not the correct coordinator|coordinator is (not available|loading)/i;

function logInto(log: Logger): logCreator {
  return () =>
    ({ namespace, level, log: { message, error, groupId, retryCount } }) => {
      const text = `kafkajs ${namespace}: ${message}`;
      const fields = { error, groupId, retryCount };
      if (level === logLevel.INFO || expected.test(`${namespace}: ${message} ${error ?? ''}`))
        log.debug(fields, text);
      else if (level === logLevel.WARN) log.warn(fields, text);
      else log.warn({ ...fields, kafkajs_level: 'error' }, text);
    };
}

/**
 * kafkajs 2.2.4 computes negative timeouts on Node 24, which is harmless, and is warned about once a process.
 * Everything else still reaches the console.
 */
export function silenceKafkajsWarnings(): void {
  const emit = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    const name = warning instanceof Error ? warning.name : typeof rest[0] === 'string' ? rest[0] : '';
    if (name !== 'TimeoutNegativeWarning') emit(warning, ...rest);
  }) as typeof process.emitWarning;
}
