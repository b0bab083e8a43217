import { randomBytes } from 'node:crypto';
import type { Codec } from '#schemas/codec.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';

export const waves = 3;
export const tasksPerWave = 8;
export const tasksPerMission = waves * tasksPerWave;

/** Three waves of eight tasks that do nothing; each task needs the whole wave before. */
function tasks(): TaskSpec[] {
  return Array.from({ length: waves }, (_, wave) =>
    Array.from({ length: tasksPerWave }, (_, i) => ({
      id: `t${wave + 1}-${i}`,
      role: 'bench',
      description: '',
      needs: wave === 0 ? [] : Array.from({ length: tasksPerWave }, (_, need) => `t${wave}-${need}`),
      wave: wave + 1,
      timeout_ms: 0,
      max_attempts: 0,
      script: { calls: [], answer: 'ok' },
    })),
  ).flat();
}

const plan = tasks();

export interface NewMission {
  readonly id: string;
  readonly value: Buffer;
}

export function newMission(codec: Codec): NewMission {
  const id = `b-${randomBytes(8).toString('hex')}`;
  const value = codec.encodeRecord('MissionCommand', {
    event_id: id,
    event_type: 'mission_submitted',
    source_agent: 'bench',
    target_agent: 'orchestrator',
    timestamp: 0,
    version: 1,
    correlation_id: id,
    causation_id: '',
    priority: 'normal',
    sequence: 0,
    previous_hash: '',
    name: 'bench',
    brief: '',
    tasks: plan,
    limits: { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 0, deadline_ms: 0, max_attempts: 0 },
    on_failure: 'fail_fast',
    reason: '',
    review_id: '',
    decision: '',
    arguments_hash: '',
    comment: '',
  });
  return { id, value };
}
