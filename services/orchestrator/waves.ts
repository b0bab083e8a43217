import { own } from './facts.ts';
import { type MissionState, taskHasEnded } from './state.ts';
import type { Turn } from './turn.ts';

/** Says of each wave that one of these tasks belongs to, if it is over, that it is. They have just ended. */
export function completeWaves(turn: Turn, positions: readonly number[]): void {
  const { state } = turn;
  const waves = new Set(positions.map((position) => state.plan?.tasks[position]?.wave ?? 0));
  for (const wave of [...waves].sort((a, b) => a - b)) {
    const tasks = waveOf(state, wave).flatMap((position) => state.tasks[position] ?? []);
    // A wave that was cancelled as a whole before it began is neither started nor completed.
    if (wave === 0 || !waveHasStarted(state, wave) || !tasks.every(taskHasEnded)) continue;
    const completed = tasks.filter((task) => task.status === 'completed').length;
    const failed = tasks.filter((task) => task.status === 'failed').length;
    turn.add(own('wave_completed', { wave, completed, failed }));
  }
}

export const waveOf = (state: MissionState, wave: number): readonly number[] => state.plan?.waves[wave] ?? [];

export function waveHasStarted(state: MissionState, wave: number): boolean {
  return waveOf(state, wave).some((position) => (state.tasks[position]?.attempt ?? 0) > 0);
}
