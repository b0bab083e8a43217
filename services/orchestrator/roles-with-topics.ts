import { Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import type { TopicNames } from '#topics/table.ts';

/** The part of an admin client that is needed here. */
interface Topics {
  listTopics(): Promise<string[]>;
  fetchTopicMetadata(of: {
    topics: string[];
  }): Promise<{ topics: { name: string; partitions: unknown[] }[] }>;
}

/** Looks are this many calls apart, unless somebody runs a role that is new. */
const callsBetweenLooks = 5;

export interface RolesWithTopics {
  /**
   * Grows when a look finds more. A role goes when two looks in a row do not find its topic: a broker that is coming up
   * may once not list all that there is.
   */
  readonly roles: ReadonlySet<string>;
  /** Of the missions topic. */
  readonly partitions: number;
  /**
   * Looks for topics of new roles, and whether those of the others are still there; to be called about once a second, with the roles that agents run. One look at a time,
   * and one that fails is only logged: what is known stays known. Resolves when this look, if any, is over.
   */
  look(run: Iterable<string>): Promise<void>;
}

/** The roles that can be given work: they have a topic. Throws Failure `topic_missing`. */
export async function rolesWithTopics(
  admin: Topics,
  topics: TopicNames,
  log: Pick<Logger, 'info' | 'warn'>,
): Promise<RolesWithTopics> {
  const prefix = topics.tasks('');
  const rolesIn = (listed: readonly string[]) =>
    listed.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const names = await admin.listTopics();
  const roles = new Set(rolesIn(names));
  if (roles.size === 0 || !names.includes(topics.missions)) {
    throw new Failure(
      'topic_missing',
      `found no topic ${topics.missions} or ${prefix}<role>: run \`ravenhelm topics apply\``,
    );
  }
  const metadata = await admin.fetchTopicMetadata({ topics: [topics.missions] });
  const sought = new Set<string>();
  /** Roles whose topic the last look did not find. */
  let doubted: ReadonlySet<string> = new Set();
  let calls = 0;
  let looking = false;
  return {
    roles,
    partitions: metadata.topics[0]?.partitions.length ?? 0,
    async look(run) {
      calls += 1;
      const started = [...run].filter((role) => !roles.has(role) && !sought.has(role));
      if (looking || (started.length === 0 && calls < callsBetweenLooks)) return;
      calls = 0;
      looking = true;
      try {
        const listed = new Set(rolesIn(await admin.listTopics()));
        const found = [...listed].filter((role) => !roles.has(role));
        for (const role of found) roles.add(role);
        const missing = [...roles].filter((role) => !listed.has(role));
        const gone = missing.filter((role) => doubted.has(role));
        doubted = new Set(missing);
        for (const role of gone) roles.delete(role);
        if (gone.length > 0) log.warn({ code: 'topic_missing', roles: gone }, 'topics of roles are gone');
        // Whoever runs what has no topic is no reason to look again at once.
        for (const role of started) sought.add(role);
        if (found.length > 0) log.info({ roles: found }, 'topics of new roles');
      } catch (error) {
        log.warn({ error: String(error) }, 'cannot look for topics of new roles');
      } finally {
        looking = false;
      }
    },
  };
}
