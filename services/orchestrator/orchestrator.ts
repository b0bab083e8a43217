import { transactionalIds } from '#chassis/service.ts';
import type { Service, ServiceContext } from '#chassis/service-context.ts';
import { followAgents } from './agents-feed.ts';
import { Missions } from './missions.ts';
import { rolesWithTopics } from './roles-with-topics.ts';
import { openRules } from './rules.ts';

/** How often it is looked which missions wait for roles that nobody runs, and which roles are new; ms. */
const lookEveryMs = 1000;

/** Decides on missions, and gives their tasks to roles. */
export async function startOrchestrator(context: ServiceContext): Promise<Service> {
  const { config, topics, codec, log, admin, now } = context;
  const known = await rolesWithTopics(admin, topics, log, now);
  const agents = await followAgents(context);
  const outstanding = config.RAVENHELM_OUTSTANDING ?? null;
  const rules = openRules(config.RAVENHELM_RULES, config.RAVENHELM_RULES_KNOWN);
  const open = new Map<number, Missions>();
  const consumer = await context.consume({
    service: 'orchestrator',
    inputs: [topics.missions, topics.reports],
    stateTopic: topics.state('orchestrator'),
    barrierTopic: topics.reports,
    transactionalIds: transactionalIds(config.RAVENHELM_PREFIX, 'orchestrator', 2),
    open(partition) {
      // It may be opened again because a topic that it wrote to is gone.
      known.lookSoon();
      const settings = { partition, partitions: known.partitions, topics, roles: known, rules, codec, log };
      const scheduleToStartMs = config.RAVENHELM_SCHEDULE_TO_START_MS;
      const missions = new Missions({ ...settings, agents: agents.roles, outstanding, scheduleToStartMs });
      open.set(partition, missions);
      return missions;
    },
  });
  const looking = setInterval(() => {
    agents.roles.refresh(now());
    void known.look(agents.roles.run());
    for (const missions of open.values()) missions.look(now());
    consumer.pump();
  }, lookEveryMs);
  return {
    ready: () => consumer.ready(),
    reason: () => consumer.reason(),
    vitals: () => ({
      roles: [],
      running: 0,
      capacity: 0,
      problems: [...open.values()].flatMap((missions) => missions.problems()),
    }),
    async stop(deadlineMs) {
      clearInterval(looking);
      await Promise.all([consumer.stop(deadlineMs), agents.stop(deadlineMs)]);
    },
  };
}
