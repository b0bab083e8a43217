import type { MissionCommand, MissionOptions } from './types.gen.ts';

/** Options that leave everything to the defaults. */
export const noOptions: MissionOptions = {
  planner: '',
  agents: 0,
  hierarchy: '',
  plan_only: false,
  review: '',
  max_replans: 0,
  models: [],
  budget: null,
  per_task: null,
  on_exhausted: '',
  retries: [],
  role_retries: [],
  subscriptions: [],
  aggregators: [],
  events: [],
  max_hops: 0,
};

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
  options: null,
  parent: null,
  depth: 0,
  event: null,
};

/** A command with these fields; the others have the defaults of the schema, as when rpk leaves them out. */
export const missionCommand = (fields: Partial<MissionCommand>): MissionCommand => ({
  ...nothing,
  ...fields,
});
