import { type ISocketFactory, Kafka, type logCreator, logLevel } from 'kafkajs';
import { hideAbortedRecords } from './aborted-records.ts';
import { registerCodecs } from './compression.ts';
import { rememberTransactionCoordinators } from './coordinator-cache.ts';
import { passEmptiedBatches } from './emptied-batches.ts';
import type { Logger } from './log.ts';
import { answerRejoins } from './rejoin.ts';

registerCodecs();
rememberTransactionCoordinators();
answerRejoins();
hideAbortedRecords();
passEmptiedBatches();

/** Everything about kafkajs that is set once, for every client that Ravenhelm opens. */
export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: Logger;
  /** How connections are opened; tests put a network that loses answers here. */
  readonly socketFactory?: ISocketFactory;
}

export function connectKafka({ brokers, clientId, log, socketFactory }: KafkaSettings): Kafka {
  return new Kafka({
    ...(socketFactory === undefined ? {} : { socketFactory }),
    brokers: [...brokers],
    clientId,
    connectionTimeout: 3000,
    // A request on a dead socket would otherwise be waited for until TCP gives up (kafkajs pull request 1783).
    requestTimeout: 15_000,
    enforceRequestTimeout: true,
    logCreator: logInto(log),
    logLevel: logLevel.INFO,
  });
}

/**
 * What kafkajs calls an error but is its way of working: back-to-back transactions meet CONCURRENT_TRANSACTIONS,
 * a rebalance interrupts a heartbeat, and it announces each pause.
 */
const expected =
  /CONCURRENT_TRANSACTIONS|concurrent (transaction|operation)|rebalancing|Pausing fetching|Resuming fetching|Limiting retries/i;

function logInto(log: Logger): logCreator {
  return () =>
    ({ namespace, level, log: { message, error, groupId, retryCount } }) => {
      const text = `kafkajs ${namespace}: ${message}`;
      const fields = { error, groupId, retryCount };
      if (level === logLevel.INFO || expected.test(`${message} ${error ?? ''}`)) log.debug(fields, text);
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
