import type { EventOf } from '#schemas/types.gen.ts';
import type { RoleTotals } from './role-totals.ts';

/** `partition`: of the ledger; -1: of all. `timestamp`: of the newest fact, epoch ms. */
export const statisticsEvent = (
  role: string,
  partition: number,
  totals: RoleTotals,
  timestamp: number,
): EventOf<'role_statistics'> => ({
  event_id: `statistics:${role}:${partition}:${timestamp}:${totals.facts}`,
  event_type: 'role_statistics',
  source_agent: 'statistics',
  target_agent: '',
  timestamp,
  version: 1,
  correlation_id: '',
  causation_id: '',
  priority: 'low',
  sequence: 0,
  previous_hash: '',
  payload: { role, partition, ...totals },
});

export function totalsOf({ payload }: EventOf<'role_statistics'>): RoleTotals {
  const { role: _, partition: __, ...totals } = payload;
  return totals;
}
