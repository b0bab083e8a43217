import { randomBytes } from 'node:crypto';
import type { Codec } from '#schemas/codec.ts';
import { missionCommand } from '#schemas/mission-command.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';

export const waves = 3;
export const tasksPerWave = 8;
export const tasksPerMission = waves * tasksPerWave;

/** Three waves of eight tasks that do nothing; each task needs the whole wave before. */
function tasks(): TaskSpec[] {
  return Array.from({ length: waves }, (_, wave) =>
    Array.from({ length: tasksPerWave }, (_, i) =>
      taskSpec({
        id: `t${wave + 1}-${i}`,
        role: 'bench',
        needs: wave === 0 ? [] : Array.from({ length: tasksPerWave }, (_, need) => `t${wave}-${need}`),
        wave: wave + 1,
        script: { calls: [], answer: 'ok' },
      }),
    ),
  ).flat();
}

const plan = tasks();

export interface NewMission {
  readonly id: string;
  readonly value: Buffer;
}

export function newMission(codec: Codec): NewMission {
  const id = `b-${randomBytes(8).toString('hex')}`;
  const command = missionCommand({ event_id: id, correlation_id: id, name: 'bench', tasks: plan });
  const value = codec.encodeRecord('MissionCommand', command);
  return { id, value };
}
