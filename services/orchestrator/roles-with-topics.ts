import { Failure } from '#chassis/failures.ts';
import type { TopicNames } from '#topics/table.ts';

/** The part of an admin client that is needed here. */
interface Topics {
  listTopics(): Promise<string[]>;
  fetchTopicMetadata(of: {
    topics: string[];
  }): Promise<{ topics: { name: string; partitions: unknown[] }[] }>;
}

/**
 * The roles that can be given work (they have a topic), and the number of partitions of the missions topic.
 * Throws Failure `topic_missing`.
 */
export async function rolesWithTopics(
  admin: Topics,
  topics: TopicNames,
): Promise<{ readonly roles: ReadonlySet<string>; readonly partitions: number }> {
  const prefix = topics.tasks('');
  const names = await admin.listTopics();
  const roles = new Set(
    names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
  );
  if (roles.size === 0 || !names.includes(topics.missions)) {
    throw new Failure(
      'topic_missing',
      `found no topic ${topics.missions} or ${prefix}<role>: run \`ravenhelm topics apply\``,
    );
  }
  const metadata = await admin.fetchTopicMetadata({ topics: [topics.missions] });
  return { roles, partitions: metadata.topics[0]?.partitions.length ?? 0 };
}
