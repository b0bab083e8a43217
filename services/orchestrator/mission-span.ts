/** The spans that the orchestrator tells of: a mission from its submission to its end, and its plan. */

import { traceOfMission } from '#chassis/mission-trace.ts';
import type { Outbox } from '#chassis/outbox.ts';
import { addSpan, type SpanAttributes, tracingIsOn } from '#chassis/tracing.ts';
import type { FactDraft } from './facts.ts';
import { type MissionState, missionHasEnded } from './state.ts';

export interface Decided {
  readonly state: MissionState;
  readonly facts: readonly FactDraft[];
  /** What the mission has cost so far, in USD; null or left out: not known. */
  readonly cost_usd?: number | null;
}

/** Tells what a decision has ended, once it is on the ledger: a transaction that fails leaves no span behind. */
export function traceDecision(decided: Decided, out: Pick<Outbox, 'afterCommit'>): void {
  // What asks for a plan is none: neither the planning of a mission's beginning, nor that of its rest.
  const planned = decided.facts.some(
    ({ event_type, payload }) => event_type === 'plan_created' && payload.made_by !== 'replanning',
  );
  if (!tracingIsOn() || !(planned || missionHasEnded(decided.state))) return;
  out.afterCommit(() => {
    if (planned) addPlanSpan(decided);
    if (missionHasEnded(decided.state)) addMissionSpan(decided);
  });
}

function addPlanSpan({ state }: Decided): void {
  addSpan(() => {
    const { traceId, spanId, caller } = traceOfMission(state.mission_id, state.traceparent);
    // A mission is planned from its beginning; when a later plan was begun, nobody has written down.
    const replanned = state.replans > 0;
    return {
      name: 'plan',
      parent: { traceId, spanId, sampled: caller === null ? null : caller.sampled },
      startedAt: replanned ? state.updated_at : state.created_at,
      endedAt: state.updated_at,
      attributes: {
        'ravenhelm.mission_id': state.mission_id,
        'ravenhelm.tasks': state.tasks.length,
        'ravenhelm.waves': state.plan === null ? 0 : state.plan.waves.length - 1,
        'ravenhelm.replanned': replanned,
      },
    };
  });
}

function addMissionSpan({ state, facts, cost_usd }: Decided): void {
  addSpan(() => {
    const { traceId, spanId, caller } = traceOfMission(state.mission_id, state.traceparent);
    const count = (status: string) => state.tasks.filter((task) => task.status === status).length;
    const attributes: SpanAttributes = {
      'ravenhelm.mission_id': state.mission_id,
      'ravenhelm.status': state.status,
      'ravenhelm.tasks': state.tasks.length,
      'ravenhelm.tasks.completed': count('completed'),
      'ravenhelm.tasks.failed': count('failed'),
      'ravenhelm.tasks.cancelled': count('cancelled'),
      'ravenhelm.cost_usd': cost_usd ?? undefined,
    };
    return {
      name: state.name === '' ? 'mission' : `mission ${state.name.replaceAll(/\s+/g, ' ').slice(0, 100)}`,
      parent: caller,
      ids: { traceId, spanId },
      startedAt: state.created_at,
      endedAt: state.ended_at,
      failed: codeOf(facts),
      attributes,
    };
  });
}

/** Why the mission did not end well; '': it did. */
function codeOf(facts: readonly FactDraft[]): string {
  for (const { event_type, payload } of facts) {
    if (event_type === 'mission_failed' || event_type === 'mission_rejected') return payload.code;
  }
  return '';
}
