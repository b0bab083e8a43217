import type { PartitionAssigner } from 'kafkajs';
import { AssignerProtocol } from './kafkajs.ts';

/**
 * Gives partition n of every subscribed topic to the same member, and leaves partitions where they are as far as an
 * even spread allows. kafkajs's own round robin does neither. A member says in its join request what it holds, and what it
 * refuses: that goes to others, as long as there are some.
 */
export function copartitioned(claims: () => PartitionClaims): PartitionAssigner {
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
        userData: Buffer.from(JSON.stringify(claims())),
      }),
    }),
    async assign({ members, topics }) {
      const counts = topics.map((topic) => cluster.findTopicPartitionMetadata(topic).length);
      const partitions = Math.max(0, ...counts);
      const owners = spread(
        partitions,
        members.map(({ memberId, memberMetadata }) => ({ memberId, ...readClaims(memberMetadata) })),
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

/** The partitions that a member holds, and those that it cannot run. */
export interface PartitionClaims {
  readonly held: readonly number[];
  readonly refused: readonly number[];
}

function readClaims(metadata: Buffer): PartitionClaims {
  try {
    const decoded = AssignerProtocol.MemberMetadata.decode(metadata);
    const said: unknown = JSON.parse(decoded?.userData?.toString() || '{}');
    // A member of a version that refused nothing says only what it holds.
    if (Array.isArray(said)) return { held: numbersIn(said), refused: [] };
    const { held, refused } = said as Partial<Record<keyof PartitionClaims, unknown>>;
    return { held: numbersIn(held), refused: numbersIn(refused) };
  } catch {
    return { held: [], refused: [] };
  }
}

const numbersIn = (value: unknown): number[] =>
  Array.isArray(value) ? value.filter((each) => Number.isInteger(each)) : [];

interface Member extends PartitionClaims {
  readonly memberId: string;
}

/**
 * Who owns which partition: each member keeps what it holds up to its share, the rest goes to whoever has least. What
 * some refuse is given to the others first, whatever their share; what all refuse goes to one of them, who then says that
 * nobody runs it.
 */
export function spread(partitions: number, members: readonly Member[]): Map<number, string> {
  const owners = new Map<number, string>();
  const inOrder = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  if (inOrder.length === 0) return owners;
  const load = new Map<string, number>(inOrder.map(({ memberId }) => [memberId, 0]));
  const loadOf = ({ memberId }: Member) => load.get(memberId) ?? 0;
  const give = (partition: number, member: Member) => {
    owners.set(partition, member.memberId);
    load.set(member.memberId, loadOf(member) + 1);
  };
  const leastOf = (some: readonly Member[]) => some.reduce((a, b) => (loadOf(b) < loadOf(a) ? b : a));

  for (let partition = 0; partition < partitions; partition++) {
    const willing = inOrder.filter(({ refused }) => !refused.includes(partition));
    if (willing.length === 0 || willing.length === inOrder.length) continue;
    give(partition, willing.find(({ held }) => held.includes(partition)) ?? leastOf(willing));
  }
  const least = Math.floor(partitions / inOrder.length);
  let extra = (partitions % inOrder.length) - inOrder.filter((member) => loadOf(member) > least).length;
  for (const member of inOrder.toSorted((a, b) => b.held.length - a.held.length)) {
    for (const partition of member.held) {
      if (partition >= partitions || owners.has(partition)) continue;
      const taken = loadOf(member);
      if (taken > least || (taken === least && extra <= 0)) continue;
      if (taken === least) extra -= 1;
      give(partition, member);
    }
  }
  for (let partition = 0; partition < partitions; partition++) {
    if (!owners.has(partition)) give(partition, leastOf(inOrder));
  }
  return owners;
}
