import type { Outgoing } from '#chassis/outbox.ts';
import type { Codec } from '#schemas/codec.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import type { TopicNames } from '#topics/table.ts';
import type { AgentsView } from './absences.ts';
import { give } from './assigning.ts';
import { unaccounted } from './budget.ts';
import { type Dispatcher, isCurrent, type Waits } from './dispatch.ts';
import { orchestrator } from './facts.ts';
import type { ReportEvent } from './input.ts';
import { metrics } from './metrics.ts';
import type { RolesWithTopics } from './roles-with-topics.ts';
import { mostFactBytes } from './sizes.ts';
import type { MissionState, TaskState } from './state.ts';
import { Turn } from './turn.ts';

export interface LostAssignmentsSettings {
  readonly topics: TopicNames;
  readonly codec: Codec;
  readonly roles: Pick<RolesWithTopics, 'isGone'>;
  readonly agents: Pick<AgentsView, 'free'>;
  /** How long an assignment that was sent may wait for an agent while the role has one that is free; ms. */
  readonly scheduleToStartMs: number;
}

/** What the partition does for it. */
export interface Acting {
  stateOf(mission: string): MissionState | undefined;
  send(topic: string, record: Outgoing): void;
  report(event: ReportEvent): void;
  full(): boolean;
}

type Found = Waits & { readonly gone: boolean };

/**
 * Assignments that nobody will begin as they are. One that was sent and that nobody begins, though agents of its role
 * are free, is sent again under the same attempt and lease: a worker takes a lease once only. One for a role whose topic
 * is gone fails its task.
 */
export class LostAssignments {
  private readonly dispatcher: Dispatcher;
  private readonly settings: LostAssignmentsSettings;
  private found: Found[] = [];

  constructor(dispatcher: Dispatcher, settings: LostAssignmentsSettings) {
    this.dispatcher = dispatcher;
    this.settings = settings;
  }

  /** Something was found when it was last looked. */
  get due(): boolean {
    return this.found.length > 0;
  }

  look(now: number): void {
    const { roles, agents, scheduleToStartMs } = this.settings;
    this.found = [...this.dispatcher.roles()].flatMap((role): Found[] => {
      if (roles.isGone(role))
        return [...this.dispatcher.waitingFor(role)].map((each) => ({ ...each, gone: true }));
      // Behind agents that are all busy, or not there, it only waits its turn.
      if (agents.free(role) === 0) return [];
      const unclaimed = this.dispatcher.unclaimed(role, now, scheduleToStartMs);
      return [...unclaimed].map((each) => ({ ...each, gone: false }));
    });
  }

  /** Call it behind a barrier: whatever was begun before it was looked is known by now. */
  act(now: number, to: Acting): void {
    while (this.found.length > 0 && !to.full()) {
      const each = this.found.shift();
      const state = each && to.stateOf(each.mission);
      if (each === undefined || state === undefined || !isCurrent(state, each)) continue;
      if (each.gone) to.report(topicGone(state, each, now));
      else this.sendAgain(state, each, now, to);
    }
  }

  private sendAgain(state: MissionState, each: Waits, now: number, to: Acting): void {
    const { topics, codec } = this.settings;
    const event = assignedAgain(state, each, now);
    const value = event && codec.encode(event);
    if (!value || value.length > mostFactBytes || !this.dispatcher.resend(each, now)) return;
    const headers = state.traceparent === '' ? {} : { headers: { traceparent: state.traceparent } };
    to.send(topics.tasks(each.role), { key: `${each.mission}/${each.task_id}`, value, ...headers });
    metrics.resent.inc({ role: each.role });
  }
}

const envelope = (state: MissionState, event_id: string, target_agent: string, timestamp: number) => ({
  ...{ event_id, source_agent: orchestrator, target_agent, timestamp, version: 1 },
  ...{ correlation_id: state.mission_id, causation_id: '', priority: state.priority },
  // Not a fact: that it stands in no chain tells it from the assignment on the ledger.
  ...{ sequence: 0, previous_hash: '' },
});

const leaseOf = ({ mission, task_id, attempt, lease }: Waits): string =>
  [mission, task_id, attempt, lease].join(':');

/** The assignment as it would be made now. Null: there is nothing to be assigned. */
export function assignedAgain(
  state: MissionState,
  waits: Waits,
  clock: number,
): EventOf<'task_assigned'> | null {
  const now = Math.max(clock, state.updated_at);
  const position = state.plan?.index.get(waits.task_id) ?? -1;
  const task = state.tasks[position];
  if (task === undefined) return null;
  const turn = new Turn(state, { now });
  const { attempt, lease, reserved: budget } = task;
  give(turn, position, { attempt, lease, budget, cheaper: state.cheaper });
  for (const { event_type, payload } of turn.facts) {
    if (event_type !== 'task_assigned') continue;
    const about = envelope(state, `${leaseOf(waits)}:again:${now}`, waits.role, now);
    return { ...about, event_type, payload };
  }
  return null;
}

function topicGone(state: MissionState, waits: Waits, now: number): EventOf<'task_attempt_failed'> {
  const { role, task_id, attempt, lease } = waits;
  const task = state.tasks[state.plan?.index.get(task_id) ?? -1];
  return {
    ...envelope(state, `${leaseOf(waits)}:topic_missing`, role, now),
    event_type: 'task_attempt_failed',
    payload: {
      ...{
        task_id,
        attempt,
        lease,
        agent: '',
        code: 'topic_missing',
        steps: 0,
        journal_hash: '',
        retry_at: 0,
      },
      message: `role ${role} has no topic any more: run \`ravenhelm topics apply\``,
      ...usedBefore(task, lease),
    },
  };
}

/** Under its first lease nobody has begun it; what earlier leases used up nobody says. */
const usedBefore = (task: TaskState | undefined, lease: number) =>
  lease > 1 ? unaccounted(task?.reserved ?? null) : { usage: noUsage, duration_ms: 0 };
