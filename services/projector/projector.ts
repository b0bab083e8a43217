import { Failure } from '#chassis/failures.ts';
import { type Follower, startFollower } from '#chassis/follower.ts';
import type { Service, ServiceContext } from '#chassis/service-context.ts';
import { groupName } from '#topics/table.ts';
import { openDatabase } from './database.ts';
import { Projection, projectedTopics } from './projection.ts';
import { schemaName } from './schema-name.ts';

/** Keeps the tables up to date with the topics. Throws Failure `invalid_configuration` without a DATABASE_URL. */
export async function startProjector(context: ServiceContext): Promise<Service> {
  const { config, topics, kafka, admin, codec, log, agent, crash } = context;
  const url = config.DATABASE_URL;
  if (url === undefined) {
    throw new Failure(
      'invalid_configuration',
      'DATABASE_URL: not set, expected the address of the PostgreSQL that the projector writes to',
    );
  }
  const database = openDatabase({ url, application: agent, log });
  const schema = schemaName(config.RAVENHELM_PREFIX);
  const follower: Follower = await startFollower({
    kafka,
    admin,
    groupId: groupName(config.RAVENHELM_PREFIX, 'projector'),
    topics: projectedTopics(topics),
    handler: new Projection({ database, url, schema, topics, codec }),
    sessionTimeoutMs: config.RAVENHELM_SESSION_TIMEOUT_MS,
    log,
    crash,
  });
  return {
    ready: () => follower.ready(),
    vitals: () => ({ roles: [], running: 0, capacity: 0 }),
    async stop(deadlineMs) {
      await follower.stop(deadlineMs);
      await database.close();
    },
  };
}
