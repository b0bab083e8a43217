import type { Admin } from 'kafkajs';
import type { Logger } from '#chassis/log.ts';
import { type TopicNames, takesRecordsBack } from '#topics/table.ts';

const everyMs = 5000;

/**
 * The topics that records are sent back to, and how many partitions each has, looked up now and then: a record to a
 * topic that does not exist would fail its whole transaction, again and again.
 */
export async function topicSizes(
  admin: Pick<Admin, 'listTopics' | 'fetchTopicMetadata'>,
  names: TopicNames,
  log: Logger,
): Promise<{ of(topic: string): number | null; stop(): void }> {
  let sizes: ReadonlyMap<string, number> = new Map();
  const look = async () => {
    const topics = (await admin.listTopics()).filter((name) => takesRecordsBack(names, name));
    const found = topics.length === 0 ? { topics: [] } : await admin.fetchTopicMetadata({ topics });
    sizes = new Map(found.topics.map(({ name, partitions }) => [name, partitions.length]));
  };
  await look();
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch((error: unknown) => log.warn({ error: String(error) }, 'topics could not be looked up'))
      .finally(() => {
        looking = false;
      });
  }, everyMs);
  return { of: (topic) => sizes.get(topic) ?? null, stop: () => clearInterval(timer) };
}
