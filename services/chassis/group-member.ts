import type { Consumer, Kafka } from 'kafkajs';
import { copartitioned, type PartitionClaims } from './assigner.ts';

/** A client in a consumer group, with all that is the same for every service. It is not connected yet. */
export function groupMember(
  kafka: Kafka,
  settings: {
    readonly groupId: string;
    readonly sessionTimeoutMs: number;
    /** How long the broker holds a fetch that finds less than `minBytes`; a seek or a resume waits for at most this long. */
    readonly fetchWaitMs: number;
    readonly minBytes?: number;
    /** What it holds and refuses at the moment it is asked. */
    readonly claims: () => PartitionClaims;
  },
): Consumer {
  return kafka.consumer({
    groupId: settings.groupId,
    partitionAssigners: [copartitioned(settings.claims)],
    sessionTimeout: settings.sessionTimeoutMs,
    rebalanceTimeout: 30_000,
    heartbeatInterval: Math.floor(settings.sessionTimeoutMs / 4),
    maxWaitTimeInMs: settings.fetchWaitMs,
    minBytes: settings.minBytes ?? 1,
    maxBytesPerPartition: 8 * 1024 * 1024,
    maxBytes: 32 * 1024 * 1024,
    allowAutoTopicCreation: false,
    readUncommitted: false,
    retry: { initialRetryTime: 100, multiplier: 2, maxRetryTime: 1000, retries: 20 },
  });
}
