import assert from 'node:assert/strict';
import { test } from 'node:test';
import picocolors from 'picocolors';
import type { FactDraft, FactEvent } from '#orchestrator/facts.ts';
import type { Input } from '#orchestrator/input.ts';
import {
  attemptFailed,
  completed,
  history,
  missionId,
  policy,
  start,
  started,
  submit,
  task,
} from '#orchestrator/scenario.ts';
import { factLine } from './fact-line.ts';
import { foldMission } from './mission-fold.ts';
import { summaryLines } from './mission-show.ts';
import { missionLines } from './mission-view.ts';

const plain = picocolors.createColors(false);
const undo = { compensation: { description: 'Take it back.', script: null } };
const tasks = [task('a', [], undo), task('b', ['a'], undo), task('c', ['b'], undo), task('d', ['c'])];
const done = (...ids: string[]): Input[] => ids.flatMap((id) => [started(id), completed(id)]);

/** What is seen of a mission in which this has happened. */
function seen(on_failure: string, ...inputs: Input[]) {
  const fold = foldMission();
  const { facts } = history(submit(tasks, { policy: { ...policy, on_failure } }), ...inputs);
  const events = facts.map(
    (draft: FactDraft, at) =>
      ({
        ...draft,
        correlation_id: missionId,
        priority: 'normal',
        timestamp: start,
        sequence: at + 1,
      }) as FactEvent,
  );
  for (const event of events) fold.add(event);
  const size = { columns: 100, rows: 40 };
  const view = fold.state === null ? [] : missionLines(fold.state, start, plain, size);
  return { view, summary: summaryLines(fold, plain), lines: events.map((event) => factLine(event)) };
}

test('a mission that undoes its work shows what is undone, and what is yet to be', () => {
  const failing = [...done('a', 'b'), started('c'), attemptFailed('c', 'unauthorized')];
  const { view, lines } = seen('compensate', ...failing, ...done('undo-b'));
  assert.match(view[0] ?? '', /^\S+ a mission {2}compensating {2}2\/4 tasks/);
  assert.deepEqual(view.slice(-3), ['  undoing  1/2', '    ✔ undo-b  b_role  0 ms', '    ○ undo-a  a_role']);
  assert.ok(
    lines.includes(
      'undoing_started | orchestrator → squad | task_failed: task c failed (unauthorized): it broke',
    ),
  );
  const { summary } = seen('compensate', ...failing, ...done('undo-b', 'undo-a'));
  assert.match(summary[0] ?? '', /^Mission failed in .*: 2 of 4 tasks completed$/);
  assert.ok(summary.includes('  ↩ undone: b, a'));
  assert.ok(summary.includes('  ! not undone, as they did not complete: c'));
});

test('a mission that goes on after a failure says what is missing', () => {
  const { summary } = seen('continue', started('a'), attemptFailed('a', 'unauthorized'));
  assert.ok(summary.includes('  ! not done, as they need what failed: b, c, d'), summary.join('\n'));
});
