import type { PartitionAssigner } from 'kafkajs';
import { AssignerProtocol } from './kafkajs.ts';

/**
 * Gives partition n of every subscribed topic to the same member, and leaves partitions where they are as far as an
 * even spread allows. kafkajs's own round robin does neither. A member says what it holds in its join request.
 *
 * @param held The partitions that this member holds at the moment it is asked.
 */
export function copartitioned(held: () => readonly number[]): PartitionAssigner {
  const name = 'ravenhelm-copartitioned';
  const version = 1;
  return ({ cluster }) => ({
    name,
    version,
    protocol: ({ topics }) => ({
      name,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version,
        topics,
        userData: Buffer.from(JSON.stringify(held())),
      }),
    }),
    async assign({ members, topics }) {
      const counts = topics.map((topic) => cluster.findTopicPartitionMetadata(topic).length);
      const partitions = Math.max(0, ...counts);
      const owners = spread(
        partitions,
        members.map(({ memberId, memberMetadata }) => ({ memberId, held: readHeld(memberMetadata) })),
      );
      return members.map(({ memberId }) => {
        const mine = [...owners].filter(([, owner]) => owner === memberId).map(([partition]) => partition);
        const assignment = Object.fromEntries(
          topics.map((topic, i) => [topic, mine.filter((partition) => partition < (counts[i] ?? 0))]),
        );
        return {
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version,
            assignment,
            userData: Buffer.alloc(0),
          }),
        };
      });
    },
  });
}

function readHeld(metadata: Buffer): number[] {
  try {
    const decoded = AssignerProtocol.MemberMetadata.decode(metadata);
    const held: unknown = JSON.parse(decoded?.userData?.toString() || '[]');
    return Array.isArray(held) ? held.filter((partition) => Number.isInteger(partition)) : [];
  } catch {
    return [];
  }
}

interface Member {
  readonly memberId: string;
  readonly held: readonly number[];
}

/** Who owns which partition: each member keeps what it holds up to its share, the rest goes to whoever has least. */
export function spread(partitions: number, members: readonly Member[]): Map<number, string> {
  const owners = new Map<number, string>();
  const inOrder = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  if (inOrder.length === 0) return owners;
  const least = Math.floor(partitions / inOrder.length);
  let extra = partitions % inOrder.length;
  const load = new Map<string, number>(inOrder.map(({ memberId }) => [memberId, 0]));
  const byHeld = inOrder.toSorted((a, b) => b.held.length - a.held.length);
  for (const { memberId, held } of byHeld) {
    let share = least;
    for (const partition of held) {
      if (partition >= partitions || owners.has(partition)) continue;
      const taken = load.get(memberId) ?? 0;
      if (taken >= share) {
        if (share > least || extra === 0) continue;
        share += 1;
        extra -= 1;
      }
      owners.set(partition, memberId);
      load.set(memberId, taken + 1);
    }
  }
  for (let partition = 0; partition < partitions; partition++) {
    if (owners.has(partition)) continue;
    const next = inOrder.reduce((a, b) =>
      (load.get(b.memberId) ?? 0) < (load.get(a.memberId) ?? 0) ? b : a,
    );
    owners.set(partition, next.memberId);
    load.set(next.memberId, (load.get(next.memberId) ?? 0) + 1);
  }
  return owners;
}
