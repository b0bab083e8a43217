import type { EventOf } from '#schemas/types.gen.ts';
import type { FactDraft } from './facts.ts';
import { type AgentReportType, type Decision, ignore } from './input.ts';
import type { Turn } from './turn.ts';

/** What agents say to each other in the middle of their tasks: it becomes a fact, each step of an attempt once. */

export function said(turn: Turn, position: number, event: EventOf<AgentReportType>): Decision {
  const task = turn.state.tasks[position];
  if (task?.status !== 'running') return ignore('NotRunning');
  if (event.payload.step <= task.reported) return ignore('AlreadySaid');
  const { event_type, source_agent, target_agent, payload } = event;
  turn.add({ event_type, source_agent, target_agent, payload } as FactDraft);
  return turn.decision();
}
