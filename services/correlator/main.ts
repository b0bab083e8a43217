import { run, transactionalIds } from '#chassis/service.ts';
import { topicOffsets } from '#chassis/topic-offsets.ts';
import { Correlations } from './correlations.ts';
import { openDefinitions } from './definitions.ts';

await run('correlator', async (context) => {
  const { config, topics, codec, log, admin } = context;
  const definitions = await openDefinitions(context);
  const partitions = (await topicOffsets(admin, topics.coordination)).length;
  const open = new Map<number, Correlations>();
  const consumer = await context.consume({
    service: 'correlator',
    inputs: [topics.coordination],
    stateTopic: topics.state('correlator'),
    barrierTopic: null,
    transactionalIds: transactionalIds(config.RAVENHELM_PREFIX, 'correlator', 2),
    open(partition) {
      const settings = { partition, partitions, topics, codec, log, standing: definitions.at };
      const correlations = new Correlations(settings);
      open.set(partition, correlations);
      return correlations;
    },
  });
  return {
    ready: () => consumer.ready() && definitions.ready(),
    vitals: () => ({
      ...{ roles: ['correlator'], running: 0, capacity: 0 },
      problems: [...open.values()].flatMap((each) => each.problems()),
    }),
    async stop(deadlineMs) {
      await consumer.stop(deadlineMs);
      await definitions.stop(deadlineMs);
    },
  };
});
