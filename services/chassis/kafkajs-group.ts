import { setTimeout as sleep } from 'node:timers/promises';
import { brokerErrorType, isUnreachable, passes } from './broker-error.ts';
import { protocolError, replaceMethod } from './kafkajs-inside.ts';

/** Between two looks for a leader or a coordinator; milliseconds. */
const pauseMs = 200;
/** How long a group may have no coordinator that takes us; then the consumer crashes. Milliseconds. */
const patienceMs = 120_000;
/** A code of Kafka's protocol. */
const rebalanceInProgress = 27;

interface Coordinator {
  readonly nodeId: number;
}
interface ConsumerGroup {
  readonly groupId: string;
  readonly cluster: {
    refreshMetadata(): Promise<void>;
    findGroupCoordinator(asked: { readonly groupId: string }): Promise<Coordinator>;
  };
  coordinator: Coordinator | null;
  readonly offsetManager: { coordinator: Coordinator } | null;
}
type Join = (this: ConsumerGroup) => Promise<void>;
type Beat = (this: ConsumerGroup, given: { readonly interval: number }) => Promise<void>;
type Recover = (this: ConsumerGroup, error: unknown) => Promise<void>;

/** Groups whose member in this process wants to be asked again what it takes. */
const rejoining = new Set<string>();

/** The member of this group joins it again with its next heartbeat, and says anew what it holds and refuses. */
export function rejoin(groupId: string): void {
  rejoining.add(groupId);
}

/** Of a fetch: the leader has moved, or is not known yet. */
const moved: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
]);

/**
 * A member of a group of kafkajs 2.2.4 takes one broker that is away for the end: the consumer stops, or the member joins
 * its group again, which stops all others for a moment. Here it looks for the new leader or coordinator and goes on: the
 * group's state moves with its coordinator. It joins again when the coordinator says so.
 */
export function keepMembersInGroup(): void {
  replaceMethod<Join>(
    'kafkajs/src/consumer/consumerGroup',
    'joinAndSync',
    (join) =>
      async function joining() {
        for (const deadline = performance.now() + patienceMs; ; await sleep(pauseMs)) {
          try {
            return await join.call(this);
          } catch (error) {
            if (!passes(error) || performance.now() > deadline) throw error;
            await this.cluster.refreshMetadata().catch(() => undefined);
          }
        }
      },
  );
  replaceMethod<Beat>(
    'kafkajs/src/consumer/consumerGroup',
    'heartbeat',
    (beat) =>
      async function beating(given) {
        // kafkajs has no call for it: it joins again when a heartbeat is answered with a rebalance, and only then.
        if (rejoining.delete(this.groupId)) throw protocolError(rebalanceInProgress);
        try {
          await beat.call(this, given);
        } catch (error) {
          if (!isUnreachable(error) && !isElsewhere(error)) throw error;
          await findCoordinator(this);
        }
      },
  );
  replaceMethod<Recover>(
    'kafkajs/src/consumer/consumerGroup',
    'recoverFromFetch',
    (recover) =>
      async function recovering(error) {
        if (isElsewhere(error)) return findCoordinator(this);
        if (!isUnreachable(error) && !moved.has(brokerErrorType(error) ?? ''))
          return recover.call(this, error);
        // Only the fetches from this broker wait; those from the others go on.
        await this.cluster.refreshMetadata().catch(() => undefined);
        await sleep(pauseMs);
      },
  );
}

/** The coordinator of the group has moved, or does not know yet that it is. */
const isElsewhere = (error: unknown): boolean =>
  ['NOT_COORDINATOR_FOR_GROUP', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'GROUP_LOAD_IN_PROGRESS'].includes(
    brokerErrorType(error) ?? '',
  );

/** Whoever cannot find it now tries again with the next heartbeat, until the coordinator says that it was too late. */
async function findCoordinator(group: ConsumerGroup): Promise<void> {
  await sleep(pauseMs);
  try {
    const found = await group.cluster.findGroupCoordinator({ groupId: group.groupId });
    group.coordinator = found;
    if (group.offsetManager !== null) group.offsetManager.coordinator = found;
  } catch (error) {
    if (!passes(error)) throw error;
  }
}
