import { Failure } from '#chassis/failures.ts';
import { noOptions } from '#schemas/mission-command.ts';
import type { MissionLimits, MissionOptions, MissionPolicy } from '#schemas/types.gen.ts';
import { bounds, limit } from './bounds.ts';
import { resolveOptions } from './options.ts';

export { bounds, limit } from './bounds.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** How a mission is run when it does not say otherwise; times in ms. */
export const defaultPolicy: MissionPolicy = {
  max_in_flight: 100,
  task_timeout_ms: 10 * minute,
  lease_ms: 10 * second,
  deadline_ms: 24 * hour,
  max_attempts: 3,
  retry_initial_ms: second,
  retry_max_ms: 30 * second,
  on_failure: 'fail_fast',
  options: { ...noOptions, planner: 'auto', hierarchy: 'none', on_exhausted: 'stop', max_replans: 2 },
};

/** Missions above one, so that missions that make missions come to an end. */
export const deepestMission = 5;

const onFailure = ['fail_fast', 'continue', 'replan', 'compensate', 'suspend'];

/**
 * The policy of a mission: each limit that is 0 takes its default.
 * Throws Failure `invalid_mission` naming the field, what was found and what was expected.
 */
export function resolvePolicy(
  limits: MissionLimits,
  on_failure: string,
  options: MissionOptions = defaultPolicy.options,
): MissionPolicy {
  const take = (field: keyof MissionLimits): number => {
    const value = limit(limits[field], defaultPolicy[field], bounds[field]);
    if (typeof value === 'string') throw new Failure('invalid_mission', `limits.${field}: ${value}`);
    return value;
  };
  if (!onFailure.includes(on_failure)) {
    const message = `on_failure: found ${JSON.stringify(on_failure)}, expected one of ${onFailure.join(', ')}`;
    throw new Failure('invalid_mission', message);
  }
  return {
    max_in_flight: take('max_in_flight'),
    task_timeout_ms: take('task_timeout_ms'),
    lease_ms: take('lease_ms'),
    deadline_ms: take('deadline_ms'),
    max_attempts: take('max_attempts'),
    retry_initial_ms: defaultPolicy.retry_initial_ms,
    retry_max_ms: defaultPolicy.retry_max_ms,
    on_failure,
    options: resolveOptions(options),
  };
}
