import type { EventOf } from '#schemas/types.gen.ts';
import type { FactType } from './facts.ts';
import type { Tail } from './ledger.ts';
import { inFlight, type MissionState } from './state.ts';
import { shownStatus } from './undoing.ts';

/** Facts after which people see another status of the mission. */
export const changesStatus: ReadonlySet<FactType> = new Set([
  'mission_accepted',
  'mission_rejected',
  'plan_created',
  'wave_started',
  'wave_completed',
  'undoing_started',
  'review_requested',
  'review_completed',
  'mission_completed',
  'mission_failed',
  'mission_cancelled',
]);

/** Where a mission stands, for the compacted status topic: the newest counts. */
export function missionStatus(
  state: MissionState,
  tail: Tail,
  event_id: string,
  wave: number,
): EventOf<'mission_status'> {
  const count = (is: (task: MissionState['tasks'][number]) => boolean) => state.tasks.filter(is).length;
  return {
    event_id,
    event_type: 'mission_status',
    source_agent: 'orchestrator',
    target_agent: 'person',
    timestamp: state.updated_at,
    version: 1,
    correlation_id: state.mission_id,
    causation_id: `${state.mission_id}:${tail.sequence}`,
    priority: state.priority,
    sequence: 0,
    previous_hash: '',
    payload: {
      name: state.name,
      status: shownStatus(state),
      wave,
      waves: state.plan === null ? 0 : state.plan.waves.length - 1,
      tasks: state.tasks.length,
      completed: count((task) => task.status === 'completed'),
      failed: count((task) => task.status === 'failed'),
      running: count(inFlight),
      head_sequence: tail.sequence,
      head_hash: tail.hash,
    },
  };
}
