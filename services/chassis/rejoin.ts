import { replaceMethod } from './kafkajs-inside.ts';

/** Groups whose member in this process wants to be asked again what it takes. */
const asking = new Set<string>();

interface Group {
  readonly groupId: string;
}
type Heartbeat = (this: Group, given: { readonly interval: number }) => Promise<void>;

/**
 * kafkajs 2.2.4 joins a group again only when a heartbeat is answered with a rebalance, and has no call for it. So the
 * heartbeat of who asks for it is answered here: it joins again as in any rebalance, keeps its partitions meanwhile, and
 * the coordinator asks all others to join, too.
 */
export function answerRejoins(): void {
  replaceMethod<Heartbeat>(
    'kafkajs/src/consumer/consumerGroup',
    'heartbeat',
    (heartbeat) =>
      async function answering(given) {
        if (!asking.delete(this.groupId)) return heartbeat.call(this, given);
        throw Object.assign(new Error('the member says anew what it takes'), {
          type: 'REBALANCE_IN_PROGRESS',
        });
      },
  );
}

/** The member of this group joins it again, and says anew what it holds and refuses. */
export function rejoin(groupId: string): void {
  asking.add(groupId);
}
