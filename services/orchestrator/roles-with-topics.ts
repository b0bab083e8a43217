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

/** Looks are this many calls apart, unless somebody runs a role that is new, or a topic is missing. */
const callsBetweenLooks = 5;
/** A topic that was not listed for so long is gone; before that, a broker may just not list all that there is. */
export const goneAfterMs = 30_000;

export interface RolesWithTopics {
  /** Roles that a task may be for: grows when a look finds more, and loses those whose topic is gone. */
  readonly roles: ReadonlySet<string>;
  /** Whether the newest look has found a topic of the role, so that something can be sent to it. */
  has(role: string): boolean;
  /** Whether the role has had no topic for a while: nothing can be expected of it. */
  isGone(role: string): boolean;
  /** Of the missions topic. */
  readonly partitions: number;
  /**
   * Looks which roles have topics; to be called about once a second, with the roles that agents run. One look at a
   * time, and one that fails is only logged: what is known stays known. Resolves when this look, if any, is over.
   */
  look(run: Iterable<string>): Promise<void>;
  /** The next call of `look` looks. */
  lookSoon(): void;
}

/** The roles that can be given work: they have a topic. Throws Failure `topic_missing`. */
export async function rolesWithTopics(
  admin: Topics,
  topics: TopicNames,
  log: Pick<Logger, 'info' | 'warn'>,
  now: () => number = Date.now,
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
  const startedAt = now();
  const seenAt = new Map([...roles].map((role) => [role, startedAt]));
  let listed: ReadonlySet<string> = new Set(roles);
  let lookedAt = startedAt;
  const sought = new Set<string>();
  let calls = 0;
  let looking = false;

  /** As of the newest look: what nobody could look at meanwhile is not gone. */
  const isGone = (role: string) =>
    !listed.has(role) && lookedAt - (seenAt.get(role) ?? startedAt) >= goneAfterMs;

  function note(names: readonly string[]): void {
    // Of a broker that does not even list the missions nothing can be learned.
    if (!names.includes(topics.missions)) return;
    lookedAt = now();
    listed = new Set(rolesIn(names));
    const found = [...listed].filter((role) => !roles.has(role));
    for (const role of listed) seenAt.set(role, lookedAt);
    for (const role of found) roles.add(role);
    if (found.length > 0) log.info({ roles: found }, 'topics of new roles');
    const gone = [...roles].filter(isGone);
    for (const role of gone) roles.delete(role);
    if (gone.length > 0) log.warn({ roles: gone }, 'topics of roles are gone: their tasks fail');
  }

  return {
    roles,
    has: (role) => listed.has(role),
    isGone,
    partitions: metadata.topics[0]?.partitions.length ?? 0,
    async look(run) {
      calls += 1;
      const started = [...run].filter((role) => !roles.has(role) && !sought.has(role));
      const missing = [...roles].some((role) => !listed.has(role));
      if (looking || (started.length === 0 && !missing && calls < callsBetweenLooks)) return;
      calls = 0;
      looking = true;
      try {
        note(await admin.listTopics());
        // Whoever runs what has no topic is no reason to look again at once.
        for (const role of started) sought.add(role);
      } catch (error) {
        log.warn({ error: String(error) }, 'cannot look for topics of roles');
      } finally {
        looking = false;
      }
    },
    lookSoon() {
      calls = callsBetweenLooks;
    },
  };
}
