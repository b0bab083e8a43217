import { transactionalIds } from '#chassis/service.ts';
import type { Service, ServiceContext } from '#chassis/service-context.ts';
import { RoleParts } from './role-parts.ts';
import { RoleSums } from './role-sums.ts';

/** Adds up what has become of the tasks of each role: first by partition of the ledger, then over all of it. */
export async function startStatistics(context: ServiceContext): Promise<Service> {
  const { config, topics, codec } = context;
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
      open: (partition) => new RoleParts({ partition, topics, codec }),
    }),
    context.consume({
      ...processor('statistics-roles', topics.roleParts),
      open: () => new RoleSums({ topics, codec }),
    }),
  ]);
  return {
    ready: () => consumers.every((consumer) => consumer.ready()),
    vitals: () => ({ roles: [], running: 0, capacity: 0 }),
    async stop(deadlineMs) {
      await Promise.all(consumers.map((consumer) => consumer.stop(deadlineMs)));
    },
  };
}
