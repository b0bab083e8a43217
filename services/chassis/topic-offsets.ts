import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { brokerErrorType, isUnreachable } from './broker-error.ts';

export interface PartitionEnds {
  readonly partition: number;
  /** Offsets as text, as kafkajs has them: the first that is there, and the next that will be written. */
  readonly low: string;
  readonly high: string;
}

/** How long a partition may have no leader; milliseconds. */
const patience = 30_000;

/**
 * Where a topic begins and ends. A partition of a new topic, or of a broker that has just died, has no leader for a
 * moment, or one that cannot be reached, and kafkajs does not wait: here it is asked again. Throws what the broker says after 30 s.
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
      const leaderless = leaderlessTypes.has(brokerErrorType(error) ?? '');
      if (!(leaderless || isUnreachable(error)) || performance.now() > deadline) throw error;
    }
  }
}

const leaderlessTypes: ReadonlySet<string> = new Set(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE']);
