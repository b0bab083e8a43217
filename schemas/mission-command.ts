import type { MissionCommand } from './types.gen.ts';

const nothing: MissionCommand = {
  event_id: '',
  event_type: 'mission_submitted',
  source_agent: 'person',
  target_agent: 'orchestrator',
  timestamp: 0,
  version: 1,
  correlation_id: '',
  causation_id: '',
  priority: 'normal',
  sequence: 0,
  previous_hash: '',
  name: '',
  brief: '',
  tasks: [],
  limits: { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 0, deadline_ms: 0, max_attempts: 0 },
  on_failure: 'fail_fast',
  reason: '',
  review_id: '',
  decision: '',
  arguments_hash: '',
  comment: '',
};

/** A command with these fields; the others have the defaults of the schema, as when rpk leaves them out. */
export const missionCommand = (fields: Partial<MissionCommand>): MissionCommand => ({
  ...nothing,
  ...fields,
});
