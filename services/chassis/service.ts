import { hostname } from 'node:os';
import { openCodec } from '#schemas/codec.ts';
import { groupName, topicNames, topicsTogetherWith, transactionalId } from '#topics/table.ts';
import { type Config, readConfig } from './config.ts';
import { startConsumer } from './consumer.ts';
import { asFailure, Failure } from './failures.ts';
import { type HealthServer, startHealthServer } from './health.ts';
import { startHeartbeat } from './heartbeat.ts';
import { connectKafka, type KafkaSettings, silenceKafkajsWarnings } from './kafka.ts';
import { type Logger, openLog } from './log.ts';
import { openPublisher } from './publisher.ts';
import { readRetryPolicy } from './retry-policy-file.ts';
import { processScrubber } from './secrets.ts';
import type { Service, ServiceContext } from './service-context.ts';
import { startTracing } from './tracing.ts';

const startDeadlineMs = 60_000;
const lastSpansMs = 2000;

/**
 * Runs a service until it is told to stop: the whole of what every `main.ts` has to say. Exits 0 after a drained
 * SIGTERM or SIGINT, 2 when the configuration is wrong, 1 after any crash; the supervisor starts it again.
 */
export async function run(name: string, start: (context: ServiceContext) => Promise<Service>): Promise<void> {
  const config = configOrExit();
  const log = openLog(name, config.LOG_LEVEL);
  silenceKafkajsWarnings();
  let crashing = false;
  const crash = (failure: Failure): void => {
    if (crashing) return;
    crashing = true;
    log.fatal(
      { code: failure.code, error: failure.message, stack: failure.stack, cause: String(failure.cause) },
      'crash',
    );
    // Nothing is tidied up: what was not committed is done again by whoever takes over.
    process.exit(1);
  };
  process.on('uncaughtException', (error) => crash(asFailure(error)));
  process.on('unhandledRejection', (reason) => crash(asFailure(reason)));

  try {
    const running = await assemble(name, config, log, crash, start);
    const signal = await untilSignal();
    log.info({ signal }, 'draining');
    // Twice the drain: what hangs in a disconnect must not keep the process.
    setTimeout(() => process.exit(1), config.RAVENHELM_DRAIN_TIMEOUT_MS * 2 + 5000).unref();
    await running.stop(config.RAVENHELM_DRAIN_TIMEOUT_MS);
    log.info('stopped');
    process.exit(0);
  } catch (error) {
    crash(asFailure(error));
  }
}

function configOrExit(): Config {
  try {
    const config = readConfig(process.env);
    readRetryPolicy(config.RAVENHELM_RETRY_POLICY);
    return config;
  } catch (error) {
    process.stderr.write(`${asFailure(error).message}\n`);
    process.exit(2);
  }
}

function untilSignal(): Promise<string> {
  return new Promise((told) => {
    process.once('SIGTERM', () => told('SIGTERM'));
    process.once('SIGINT', () => told('SIGINT'));
  });
}

/** Opens the clients, starts the service on them, and gives back how to stop all of it in the right order. */
async function assemble(
  name: string,
  config: Config,
  log: Logger,
  crash: (failure: Failure) => void,
  start: (context: ServiceContext) => Promise<Service>,
): Promise<{ stop(deadlineMs: number): Promise<void> }> {
  const context = await openContext(name, config, log, crash);
  const tracing = await startTracing({
    service: name,
    agent: context.agent,
    scrub: processScrubber().text,
    log,
  });
  const service = await start(context);
  const health: HealthServer = await startHealthServer({
    host: config.HEALTH_HOST,
    port: config.HEALTH_PORT,
    vitals: { live: () => true, ready: () => service.ready(), reason: () => service.reason?.() ?? '' },
  });
  const heartbeat = startHeartbeat(context, name, service);
  log.info({ health_port: health.port, agent: context.agent }, 'started');
  return {
    async stop(deadlineMs) {
      await service.stop(deadlineMs);
      await heartbeat.stop();
      await context.publisher.close(2000);
      await context.admin.disconnect();
      await health.close();
      await tracing.stop(lastSpansMs);
    },
  };
}

/** The clients that every service has. The bench and the tests open them in the same way. */
export async function openContext(
  name: string,
  config: Config,
  log: Logger,
  crash: (failure: Failure) => void,
  network: Pick<KafkaSettings, 'socketFactory'> = {},
): Promise<ServiceContext> {
  const prefix = config.RAVENHELM_PREFIX;
  const topics = topicNames(prefix);
  const agent = `${name}@${hostname()}:${process.pid}`;
  const kafka = connectKafka({ brokers: config.KAFKA_BROKERS, clientId: agent, log, ...network });
  const admin = kafka.admin();
  const now = Date.now;
  const retries = readRetryPolicy(config.RAVENHELM_RETRY_POLICY);
  const [codec, publisher] = await Promise.all([
    openCodec(config.SCHEMA_REGISTRY_URL, {
      missionsSubject: `${topics.missions}-value`,
      signal: AbortSignal.timeout(startDeadlineMs),
    }),
    openPublisher(kafka, log),
    admin.connect(),
  ]);
  return {
    config,
    topics,
    kafka,
    admin,
    publisher,
    codec,
    log,
    agent,
    now,
    retries,
    crash,
    consume: (processor) =>
      startConsumer({
        kafka,
        admin,
        processor,
        together: processor.inputs.flatMap((input) => topicsTogetherWith(prefix, input)),
        groupId: groupName(prefix, processor.service),
        publisher,
        codec,
        topics,
        retries,
        sessionTimeoutMs: config.RAVENHELM_SESSION_TIMEOUT_MS,
        transactionTimeoutMs: config.RAVENHELM_TRANSACTION_TIMEOUT_MS,
        now,
        log,
        crash: (failure) => {
          if (processor.survives === undefined) return crash(failure);
          void processor.survives(failure).then((survived) => survived || crash(failure));
        },
      }),
  };
}

/** The transactional ids of one partition of a service, `slots` of them taking turns. */
export function transactionalIds(
  prefix: string,
  service: string,
  slots: number,
): (partition: number) => string[] {
  return (partition) =>
    Array.from({ length: slots }, (_, slot) => transactionalId(prefix, service, partition, slot));
}
