import { transactionalIds } from '#chassis/service.ts';
import type { Service, ServiceContext } from '#chassis/service-context.ts';
import { RoleParts } from './role-parts.ts';
import { RoleSums } from './role-sums.ts';

/** Adds up what has become of the tasks of each role: first by partition of the ledger, then over all of it. */
export async function startStatistics(context: ServiceContext): Promise<Service> {
  const { config, topics, codec, log } = context;
  const parts = new Map<number, RoleParts>();
  const processor = (service: string, input: string) => ({
    service,
    inputs: [input],
    stateTopic: topics.state(service),
    barrierTopic: null,
    transactionalIds: transactionalIds(config.RAVENHELM_PREFIX, service, 1),
  });
  const consumers = await Promise.all([
    context.consume({
      ...processor('statistics', topics.coordination),
      open(partition) {
        const opened = new RoleParts({ partition, topics, codec, log });
        parts.set(partition, opened);
        return opened;
      },
    }),
    context.consume({
      ...processor('statistics-roles', topics.roleParts),
      open: () => new RoleSums({ topics, codec, log }),
    }),
  ]);
  return {
    ready: () => consumers.every((consumer) => consumer.ready()),
    vitals: () => ({
      ...{ roles: [], running: 0, capacity: 0 },
      problems: [...parts.values()].flatMap((each) => each.problems()),
    }),
    async stop(deadlineMs) {
      await Promise.all(consumers.map((consumer) => consumer.stop(deadlineMs)));
    },
  };
}
