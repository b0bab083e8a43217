import assert from 'node:assert/strict';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { type FactDraft, own } from './facts.ts';
import type { Input } from './input.ts';
import { assigned, completed, given, history, policy, start, started, submit, task } from './scenario.ts';

/** For tests: missions that undo their work. */

export const undo = (description: string) => ({ compensation: { description, script: null } });
export const saga = (tasks: readonly TaskSpec[], more: Partial<typeof policy> = {}) =>
  submit(tasks, { policy: { ...policy, on_failure: 'compensate', ...more } });
/** Three steps that can be undone, one after another; the fourth cannot. */
export const fourSteps = [
  task('a', [], undo('take a back')),
  task('b', ['a'], undo('take b back')),
  task('c', ['b']),
  task('d', ['c'], undo('take d back')),
];
export const cancel = { kind: 'cancel', reason: 'enough', by: 'ann' } as const;

export const done = (...ids: string[]): Input[] => ids.flatMap((id) => [started(id), completed(id)]);
export const types = (facts: readonly FactDraft[]) =>
  facts.map(({ event_type, payload }) => {
    const { task_id = '' } = { ...payload } as { task_id?: string };
    return `${event_type} ${task_id}`.trim();
  });
export const after = (...inputs: readonly Input[]) => history(...inputs).state;
export const decided = (state: ReturnType<typeof after>, input: Input, now = start + 1000) => {
  const { decision } = given(state).when(input, now);
  assert.ok(decision.kind === 'facts', JSON.stringify(decision));
  return decision;
};
export const undoing = own('undoing_started', {
  code: 'task_failed',
  message: 'task d failed (unauthorized): it broke',
  cancelled_by: null,
});
/** How `undo-<id>` is assigned: told what the task's result was, with no budget and no wave. */
export const undoes = (id: string, attempt = 1) =>
  assigned(`undo-${id}`, {
    ...{ role: `${id}_role`, wave: 0, attempt, kind: 'compensation', compensates: id },
    description: `take ${id} back`,
    needs: [{ task_id: id, role: `${id}_role`, status: 'completed', result: `${id} is done` }],
  });
export const undoesBy = (id: string, attempt = 1) => ({ ...undoes(id, attempt), target_agent: `${id}_role` });

export const failingD = [saga(fourSteps), ...done('a', 'b', 'c'), started('d')];
