import type { Admin } from 'kafkajs';
import { asFailure, Failure } from './failures.ts';
import type { Logger } from './log.ts';

const everyMs = 30_000;

type Topics = Pick<Admin, 'listTopics' | 'fetchTopicMetadata'>;

/**
 * The number of partitions that topics which belong together have in common. A key lives in the same partition of
 * each; where they differ, records go to partitions whose owner knows nothing of them. Those that do not exist yet do
 * not count. Throws Failure `partitions_differ`, or `topic_missing` when one of `needed` does not exist.
 */
export async function commonPartitions(
  admin: Topics,
  together: readonly string[],
  needed: readonly string[],
): Promise<number> {
  const existing = new Set(await admin.listTopics());
  const missing = needed.filter((topic) => !existing.has(topic));
  if (missing.length > 0)
    throw new Failure(
      'topic_missing',
      `found no topic ${missing.join(', ')}: run \`ravenhelm topics apply\``,
    );
  const topics = [...new Set([...needed, ...together])].filter((topic) => existing.has(topic));
  const found = await admin.fetchTopicMetadata({ topics });
  const counts = found.topics.map(({ name, partitions }) => ({ name, count: partitions.length }));
  const [first] = counts;
  if (counts.some(({ count }) => count !== first?.count)) {
    const each = counts.map(({ name, count }) => `${name}: ${count}`).join(', ');
    throw new Failure(
      'partitions_differ',
      `topics that belong together have different numbers of partitions (${each}): a key would be in different partitions`,
    );
  }
  return first?.count ?? 0;
}

/**
 * Looks now and then whether they still have the number that they had. A process that began with another one computes
 * wrong partitions: it has to be started again. A broker that does not answer changes nothing.
 */
export function watchPartitions(to: {
  readonly count: number;
  readonly look: () => Promise<number>;
  readonly crash: (failure: Failure) => void;
  readonly log: Logger;
  readonly everyMs?: number;
}): { look(): Promise<void>; stop(): void } {
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      const count = await to.look();
      if (count !== to.count) {
        const message = `found ${count} partitions, ${to.count} when the process began`;
        to.crash(new Failure('partitions_differ', message));
      }
    } catch (error) {
      const failure = asFailure(error, 'broker_unavailable');
      if (failure.code === 'partitions_differ') to.crash(failure);
      else to.log.warn({ code: failure.code, error: failure.message }, 'partitions could not be counted');
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), to.everyMs ?? everyMs);
  timer.unref();
  return { look, stop: () => clearInterval(timer) };
}
