/**
 * What must hold of a ledger whatever happened to the processes that wrote it. Looks at the events alone and shares
 * no code with the services: not their fold, not their verifier.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TaskSpec } from '#schemas/types.gen.ts';
import type { LedgerFact } from './harness.ts';

const ends = new Set(['mission_completed', 'mission_failed', 'mission_cancelled', 'mission_rejected']);
const taskEnds = new Set(['task_completed', 'task_failed', 'task_cancelled']);

/** Sequences without gap or repeat, an unbroken chain, one end a mission, one end a task, no task before its needs. */
export function checkLedger(
  facts: readonly LedgerFact[],
  missions: ReadonlyMap<string, readonly TaskSpec[]>,
): void {
  const byMission = Map.groupBy(facts, ({ event }) => event.correlation_id);
  for (const [mission, tasks] of missions) {
    const mine = byMission.get(mission) ?? [];
    let hash = '';
    mine.forEach(({ event, bytes }, i) => {
      assert.equal(event.sequence, i + 1, `${mission}: sequence`);
      assert.equal(event.previous_hash, hash, `${mission}: chain at ${event.sequence}`);
      hash = createHash('sha256').update(bytes.subarray(5)).digest('hex');
    });
    const types = mine.map(({ event }) => event.event_type);
    assert.equal(types.filter((type) => ends.has(type)).length, 1, `${mission}: ends`);
    assert.ok(ends.has(types.at(-1) ?? ''), `${mission}: the end is the last fact`);
    checkTasks(mission, mine, tasks);
  }
}

function checkTasks(mission: string, facts: readonly LedgerFact[], tasks: readonly TaskSpec[]): void {
  const needs = new Map(tasks.map((task) => [task.id, task.needs]));
  const completed = new Set<string>();
  const ended = new Set<string>();
  for (const { event } of facts) {
    if (event.event_type === 'task_assigned') {
      const missing = needs.get(event.payload.task_id)?.filter((need) => !completed.has(need)) ?? [
        'in no plan',
      ];
      assert.deepEqual(missing, [], `${mission}: ${event.payload.task_id} assigned before its needs`);
    }
    if (taskEnds.has(event.event_type) && 'task_id' in event.payload) {
      assert.ok(!ended.has(event.payload.task_id), `${mission}: ${event.payload.task_id} ended twice`);
      ended.add(event.payload.task_id);
      if (event.event_type === 'task_completed') completed.add(event.payload.task_id);
    }
  }
  assert.equal(ended.size, tasks.length, `${mission}: every task has an end`);
}

/** One line for each time that a step really ran, written by the step itself, outside of everything. */
export interface Run {
  readonly step: string;
  readonly atMs: number;
}

export function readRuns(file: string): Run[] {
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [step = '', at = ''] = line.split(' ');
      return { step, atMs: Number(at) / 1e6 };
    });
}

/**
 * A step may run again only when its outcome was not recorded: no run begins after an outcome of the same step.
 *
 * @param outcomes When the outcome of each step was recorded; epoch milliseconds, by the same name as in the runs.
 */
export function checkRuns(
  runs: readonly Run[],
  outcomes: ReadonlyMap<string, number>,
  steps: readonly string[],
): void {
  const byStep = Map.groupBy(runs, ({ step }) => step);
  for (const step of steps) {
    const mine = byStep.get(step) ?? [];
    assert.ok(mine.length > 0, `${step} never ran`);
    const recorded = outcomes.get(step) ?? Number.POSITIVE_INFINITY;
    for (const { atMs } of mine.slice(1)) {
      assert.ok(
        atMs < recorded,
        `${step} ran again ${Math.round(atMs - recorded)} ms after its outcome was recorded`,
      );
    }
  }
}
