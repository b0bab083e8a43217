import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StopPoint } from '#chassis/stop-point.ts';
import type { ServiceName } from '../../harness.ts';
import type { Fault } from '../fault.ts';
import type { Member } from '../members.ts';
import type { Random } from '../random.ts';
import { processors } from '../swarm.ts';

const takingOver: readonly StopPoint[] = ['fenced', 'restored'];
const committing: readonly StopPoint[] = ['before-outputs', 'outputs-sent', 'committed'];
const publishing: readonly StopPoint[] = ['publishing', 'published'];
const thinking: readonly StopPoint[] = [
  'model-intended',
  'model-intent',
  'model-answered',
  'model-outcome',
  'tool-intended',
  'tool-intent',
  'tool-ran',
  'tool-outcome',
  'end-durable',
  'report-sent',
];

const points: readonly (readonly [ServiceName, StopPoint])[] = [
  ...processors.flatMap((service) =>
    [...committing, ...takingOver].map((point) => [service, point] as const),
  ),
  ...[...publishing, ...thinking].map((point) => ['worker', point] as const),
  ['projector', 'rows-written'],
  ['projector', 'rows-committed'],
];

/**
 * Never left to chance: a worker that dies right after its claim was committed shows for certain whether the next owner
 * goes on from the changelog, as the group's offsets, which follow a moment later, do not have the claim.
 */
const always: typeof points = [
  ['worker', 'committed'],
  ['orchestrator', 'outputs-sent'],
];

/** Long enough for a barrier, a heartbeat or a takeover to come by. */
const patienceMs = 12_000;

/** kill -9 around every produce and commit: the process ends itself at a named point. */
export const killPoints: Fault = {
  name: 'kill-points',
  how: 'kill -9 at each named point around a produce, a commit, a takeover, and a call of a tool or model',
  async inject(swarm, random, signal) {
    const rounds = swarm.times(0.1);
    const chosen = swarm.short ? [...always, ...sample(points, 4, random)] : points;
    let kills = 0;
    let missed = 0;
    for (let round = 0; round < rounds; round++) {
      for (const [service, point] of chosen) {
        const member = random.pick(swarm.members.of(service));
        const { pid } = member;
        const held = service === 'orchestrator' ? member.partitions(swarm.group(service)) : [];
        member.stopAt(point, 'SIGKILL');
        if (takingOver.includes(point)) {
          // Somebody has to die for somebody to take over.
          const others = swarm.members.of(service).filter((other) => other !== member);
          swarm.members.kill(random.pick(others));
        }
        if (await stopped(member, point, signal)) {
          kills += 1;
          if (service === 'worker') swarm.recovery.ofAgent(pid);
          else swarm.recovery.ofPartitions(held);
        } else missed += 1;
        member.stopForgotten();
        await sleep(random.int(300, 1000), undefined, { signal });
      }
    }
    return { kills, points_not_passed: missed };
  },
};

/** Whether the process has come to the point; not each process passes each point in good time. */
export async function stopped(member: Member, point: StopPoint, signal: AbortSignal): Promise<boolean> {
  for (const late = Date.now() + patienceMs; Date.now() < late; ) {
    if (!existsSync(join(member.stops, point))) return true;
    await sleep(10, undefined, { signal });
  }
  return false;
}

function sample<T>(from: readonly T[], most: number, random: Random): readonly T[] {
  const left = [...from];
  return Array.from({ length: Math.min(most, left.length) }, () => {
    const [taken] = left.splice(random.int(0, left.length - 1), 1);
    if (taken === undefined) throw new Error('nothing left');
    return taken;
  });
}
