import type { Consumer } from '#chassis/consumer.ts';
import { transactionalIds } from '#chassis/service.ts';
import type { Service, ServiceContext } from '#chassis/service-context.ts';
import { retryDelays } from '#topics/table.ts';
import { LetterBytes } from './letter-bytes.ts';
import { Letters } from './letters.ts';
import { topicSizes } from './topic-sizes.ts';

/** Sends back what has waited, keeps account of dead letters, and does with them what people ask for. */
export async function startRetrier(context: ServiceContext): Promise<Service> {
  const { config, topics, codec, kafka, admin, log, retries } = context;
  const prefix = config.RAVENHELM_PREFIX;
  const sizes = await topicSizes(admin, topics, log);
  let consumer: Consumer | null = null;
  const bytes = new LetterBytes({
    ...{ kafka, topic: topics.dlq, prefix, codec, log },
    arrived: () => consumer?.pump(),
  });
  const waiting = retryDelays.map(topics.retry);
  const started = await context.consume({
    service: 'retrier',
    inputs: [topics.dlq, topics.dlqRequests, ...waiting],
    raw: new Set([topics.dlq, ...waiting]),
    stateTopic: topics.state('retrier'),
    barrierTopic: null,
    transactionalIds: transactionalIds(prefix, 'retrier', 2),
    open: (partition) =>
      new Letters({
        ...{ partition, topics, codec, bytes, log },
        sizeOf: sizes.of,
        mostRedrives: retries.redrives,
      }),
  });
  consumer = started;
  return {
    ready: () => started.ready(),
    vitals: () => ({ roles: [], running: 0, capacity: 0 }),
    async stop(deadlineMs) {
      sizes.stop();
      bytes.close();
      await started.stop(deadlineMs);
    },
  };
}
