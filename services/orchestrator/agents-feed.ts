import { randomUUID } from 'node:crypto';
import { Agents, byRole, lostAfterMs, type RoleAgents } from '#chassis/agents.ts';
import { Failure } from '#chassis/failures.ts';
import { type FollowedRecord, startFollower } from '#chassis/follower.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import { topicOffsets } from '#chassis/topic-offsets.ts';
import type { Codec } from '#schemas/codec.ts';
import type { AgentsView } from './absences.ts';

const registryMs = 5000;

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

  capacity(role: string): number {
    return this.roles.get(role)?.capacity ?? 0;
  }

  absentSince(role: string): number | null {
    const deaf = this.heardAt === null || this.now - this.heardAt > lostAfterMs / 2;
    if (!this.caughtUp || deaf) return null;
    const found = this.roles.get(role);
    if (found === undefined) return 0;
    return found.alive > 0 ? null : found.seenAt;
  }
}

type Parts = Pick<
  ServiceContext,
  'kafka' | 'admin' | 'topics' | 'codec' | 'log' | 'config' | 'crash' | 'now'
>;

/** Follows the health topic from its beginning, in a group of its own, so that every orchestrator knows all of it. */
export async function followAgents(
  parts: Parts,
): Promise<{ readonly roles: LiveRoles; stop(deadlineMs: number): Promise<void> }> {
  const { kafka, admin, codec, log, config, crash, now } = parts;
  const topic = parts.topics.health;
  const roles = new LiveRoles();
  const ends = new Map(
    (await topicOffsets(admin, topic)).map(({ partition, high }) => [partition, Number(high)]),
  );
  const positions = new Map<number, number>();
  const behind = () => [...ends].some(([partition, end]) => (positions.get(partition) ?? 0) < end);
  roles.caughtUp = [...ends.values()].every((end) => end === 0);
  const follower = await startFollower({
    kafka,
    admin,
    groupId: `${config.RAVENHELM_PREFIX}.reader-${randomUUID()}`,
    topics: [topic],
    sessionTimeoutMs: config.RAVENHELM_SESSION_TIMEOUT_MS,
    log,
    crash,
    deleteGroup: true,
    handler: {
      positions: (partition) => Promise.resolve(new Map([[topic, positions.get(partition) ?? 0]])),
      async handle({ partition, records, next }) {
        const isHistory = (offset: number) => offset < (ends.get(partition) ?? 0);
        for (const record of records) {
          if (record.offset < (positions.get(partition) ?? 0)) continue;
          await take(record, { roles, codec, at: now(), isHistory: isHistory(record.offset) }).catch(
            (error: unknown) => {
              if (error instanceof Failure && error.code === 'registry_unavailable') throw error;
              log.debug({ topic, offset: record.offset, error: String(error) }, 'no health event, left out');
            },
          );
          positions.set(partition, record.offset + 1);
        }
        positions.set(partition, next);
        roles.caughtUp ||= !behind();
        return next;
      },
    },
  });
  return { roles, stop: (deadlineMs) => follower.stop(deadlineMs) };
}

interface Taking {
  readonly roles: LiveRoles;
  readonly codec: Codec;
  readonly at: number;
  readonly isHistory: boolean;
}

/**
 * What is heard as it is said is as new as the moment, whatever the clock of who says it shows. What was there before
 * is as old as it says, and not newer than now.
 */
async function take({ message }: FollowedRecord, { roles, codec, at, isHistory }: Taking): Promise<void> {
  const { key, value } = message;
  if (value === null) return roles.forget(key?.toString() ?? '', at);
  if (!codec.knows(value)) await codec.load(value, AbortSignal.timeout(registryMs));
  const { name, value: event } = codec.decode(value);
  if (name !== 'AgentHealth') return;
  roles.hear(event.payload, isHistory ? Math.min(at, event.timestamp) : at, at);
}
