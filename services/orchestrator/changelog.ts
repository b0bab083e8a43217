import { Failure } from '#chassis/failures.ts';
import type { Codec } from '#schemas/codec.ts';
import type * as records from '#schemas/types.gen.ts';

/** What the changelog of the orchestrator keeps, by the beginnings of its keys; see `dispatch.ts` and `absences.ts` too. */
export const missionPrefix = 'mission/';
export const planPrefix = 'plan/';

export function decodeMission(codec: Codec, bytes: Buffer): records.MissionState {
  const { name, value } = codec.decode(bytes);
  if (name !== 'MissionState') throw found(name, 'MissionState');
  return value;
}

export function decodePlan(codec: Codec, bytes: Buffer): records.MissionPlan {
  const { name, value } = codec.decode(bytes);
  if (name !== 'MissionPlan') throw found(name, 'MissionPlan');
  return value;
}

export function decodeAssignment(codec: Codec, bytes: Buffer): records.TaskAssigned {
  const { name, value } = codec.decode(bytes);
  if (name !== 'TaskAssigned') throw found(name, 'TaskAssigned');
  return value;
}

const found = (name: string, expected: string): Failure =>
  new Failure('internal_error', `changelog: found ${name}, expected ${expected}`);
