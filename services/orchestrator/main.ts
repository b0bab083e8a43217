import { run, transactionalIds } from '#chassis/service.ts';
import { Missions } from './missions.ts';
import { rolesWithTopics } from './roles-with-topics.ts';

await run('orchestrator', async (context) => {
  const { config, topics, codec, log, admin } = context;
  const { roles, partitions } = await rolesWithTopics(admin, topics);
  const consumer = await context.consume({
    service: 'orchestrator',
    inputs: [topics.missions, topics.reports],
    stateTopic: topics.state('orchestrator'),
    barrierTopic: topics.reports,
    transactionalIds: transactionalIds(config.RAVENHELM_PREFIX, 'orchestrator', 2),
    open: (partition) => new Missions({ partition, partitions, topics, roles, codec, log }),
  });
  return {
    ready: () => consumer.ready(),
    vitals: () => ({ roles: ['orchestrator'], running: 0, capacity: 0 }),
    stop: (deadlineMs) => consumer.stop(deadlineMs),
  };
});
