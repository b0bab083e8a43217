import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';

export interface PartitionEnds {
  readonly partition: number;
  /** Offsets as text, as kafkajs has them: the first that is there, and the next that will be written. */
  readonly low: string;
  readonly high: string;
}

/** How long a partition may have no leader; milliseconds. */
const patience = 15_000;

/**
 * Where a topic begins and ends. A partition of a new topic, or of a broker that has just died, has no leader for a
 * moment, and kafkajs does not wait for one: here it is asked again. Throws what the broker says after 15 s.
 */
export async function topicOffsets(
  admin: Pick<Admin, 'fetchTopicOffsets'>,
  topic: string,
  { within = patience, pause = 100 } = {},
): Promise<readonly PartitionEnds[]> {
  for (const deadline = performance.now() + within; ; await sleep(pause)) {
    try {
      return await admin.fetchTopicOffsets(topic);
    } catch (error) {
      const { type } = error as { readonly type?: string };
      if (!leaderless.has(type ?? '') || performance.now() > deadline) throw error;
    }
  }
}

const leaderless: ReadonlySet<string> = new Set(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE']);
