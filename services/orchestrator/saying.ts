import type { FailureCode } from '#chassis/failures.ts';
import type { EventOf, PayloadOf } from '#schemas/types.gen.ts';
import { release } from './assigning.ts';
import { finishOrRelease } from './consequences.ts';
import { nameOf } from './context.ts';
import { type FactDraft, orchestrator, own } from './facts.ts';
import { type AgentReportType, type Decision, ignore } from './input.ts';
import { isRole } from './names.ts';
import type { MissionState } from './state.ts';
import type { Turn } from './turn.ts';

/** What agents say to each other in the middle of their tasks: it becomes a fact, each step of an attempt once. */

/** Roles that may pass one task on. */
const mostHandoffs = 5;

type Said = Exclude<AgentReportType, 'agent_handoff'> | 'event_emitted';

export function said(turn: Turn, position: number, event: EventOf<Said>): Decision {
  const task = turn.state.tasks[position];
  if (task?.status !== 'running') return ignore('NotRunning');
  // An attempt that waits gives its lease back, so what it waits for cannot be said twice.
  if (event.event_type !== 'dependency_required' && event.payload.step <= task.reported) {
    return ignore('AlreadySaid');
  }
  const { source_agent, target_agent } = event;
  switch (event.event_type) {
    case 'dependency_required':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      answerWaiting(turn, event.payload.dependency);
      // The parked task gave its place in flight back.
      finishOrRelease(turn);
      break;
    case 'dependency_resolved':
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload: event.payload });
      answerWaiting(turn, event.payload.dependency);
      release(turn);
      break;
    case 'event_emitted': {
      // Of the reactions that led to it the plan knows, not the agent.
      const hops = turn.state.plan?.tasks[position]?.hops ?? 0;
      const payload = { ...event.payload, hops, subscription: '', trigger: '' };
      turn.add({ event_type: event.event_type, source_agent, target_agent, payload });
      break;
    }
    default: {
      const { event_type, payload } = event;
      turn.add({ event_type, source_agent, target_agent, payload } as FactDraft);
    }
  }
  return turn.decision();
}

/** What is provided goes to all that wait for it, in the order of the plan. */
function answerWaiting(turn: Turn, dependency: string): void {
  const { tasks, plan, provided } = turn.state;
  const name = nameOf(dependency);
  const text = provided.find((each) => each.name === name)?.text;
  if (text === undefined) return;
  tasks.forEach(({ waiting_for, attempt, lease, reported }, position) => {
    const task_id = plan?.tasks[position]?.id;
    if (waiting_for !== name || task_id === undefined) return;
    const whom = { task_id, attempt, lease, agent: '', step: reported };
    turn.add(own('dependency_resolved', { ...whom, dependency: name, value: text }));
  });
}

/** Why the attempt fails that wants to pass its task on; null: the other role gets it. */
export function whyNotHandedOver(
  { plan, tasks, roles }: MissionState,
  position: number,
  { to_role }: PayloadOf<'agent_handoff'>,
): { readonly code: FailureCode; readonly message: string } | null {
  const kind = plan?.tasks[position]?.kind ?? '';
  const to = `handing over to ${JSON.stringify(to_role).slice(0, 100)}`;
  if (kind !== '') return { code: 'unauthorized', message: `${to}: found a task of kind ${kind}` };
  if (!isRole(to_role) || to_role === orchestrator || (roles.length > 0 && !roles.includes(to_role))) {
    const known = roles.length > 0 ? `one of ${roles.join(', ')}` : 'the name of a role';
    return { code: 'role_unknown', message: `${to}: expected ${known}` };
  }
  const handoffs = tasks[position]?.handoffs ?? 0;
  if (handoffs < mostHandoffs) return null;
  return { code: 'hop_limit', message: `${to}: ${handoffs} roles have passed it on, which is the most` };
}
