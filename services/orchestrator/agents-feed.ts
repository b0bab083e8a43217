import { Agents, byRole, lostAfterMs, type RoleAgents } from '#chassis/agents.ts';
import { type FollowingParts, followTopic } from '#chassis/follow-topic.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import { topicOffsets } from '#chassis/topic-offsets.ts';
import type { AgentsView } from './absences.ts';

/** Who runs which role, by the health topic. */
export class LiveRoles implements AgentsView {
  private readonly agents = new Agents();
  /** Null: to be counted again. */
  private counted: ReadonlyMap<string, RoleAgents> | null = null;
  /** When anything was heard last, ourselves among it: else it is us who hear nothing. */
  private heardAt: number | null = null;
  private now = 0;
  /** Before it has read all that is there, nobody is missing. */
  caughtUp = false;

  /** `seenAt` and `now`: epoch ms. */
  hear(health: Parameters<Agents['add']>[0], seenAt: number, now: number): void {
    this.agents.add(health, seenAt);
    this.heardAt = now;
    this.refresh(now);
  }

  forget(agent: string, now: number): void {
    this.agents.remove(agent);
    this.refresh(now);
  }

  /** It is later now, and who was silent meanwhile may be lost. */
  refresh(now: number): void {
    this.now = now;
    this.counted = null;
  }

  private get roles(): ReadonlyMap<string, RoleAgents> {
    this.counted ??= byRole(this.agents.list(this.now));
    return this.counted;
  }

  /** The roles that somebody runs. */
  run(): string[] {
    return [...this.roles].flatMap(([role, { alive }]) => (alive > 0 ? [role] : []));
  }

  capacity(role: string): number {
    return this.roles.get(role)?.capacity ?? 0;
  }

  free(role: string): number {
    const found = this.roles.get(role);
    return found === undefined ? 0 : Math.max(0, found.capacity - found.running);
  }

  absentSince(role: string): number | null {
    const deaf = this.heardAt === null || this.now - this.heardAt > lostAfterMs / 2;
    if (!this.caughtUp || deaf) return null;
    const found = this.roles.get(role);
    if (found === undefined) return 0;
    return found.alive > 0 ? null : found.seenAt;
  }
}

type Parts = FollowingParts & Pick<ServiceContext, 'topics' | 'now'>;

/** Follows the health topic, so that every orchestrator knows all of it. */
export async function followAgents(
  parts: Parts,
): Promise<{ readonly roles: LiveRoles; stop(deadlineMs: number): Promise<void> }> {
  const { admin, codec, log, now } = parts;
  const topic = parts.topics.health;
  const roles = new LiveRoles();
  const ends = await topicOffsets(admin, topic);
  const history = new Map(ends.map(({ partition, high }) => [partition, Number(high)]));
  const followed = await followTopic(
    parts,
    topic,
    ({ partition, offset, key, value }) => {
      const at = now();
      if (value === null) return roles.forget(key, at);
      const { name, value: event } = codec.decode(value);
      if (name !== 'AgentHealth') return;
      // What is heard as it is said is as new as the moment, whatever the clock of who says it shows. What was there
      // before is as old as it says, and not newer than now.
      const isHistory = offset < (history.get(partition) ?? 0);
      roles.hear(event.payload, isHistory ? Math.min(at, event.timestamp) : at, at);
    },
    (offset, error) => log.debug({ topic, offset, error: String(error) }, 'no health event, left out'),
  );
  const stopping = new AbortController();
  followed.readTo(ends, stopping.signal).then(
    () => {
      roles.caughtUp = true;
    },
    () => undefined,
  );
  return {
    roles,
    stop(deadlineMs) {
      stopping.abort();
      return followed.stop(deadlineMs);
    },
  };
}
