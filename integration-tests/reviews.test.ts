/** A call that a person has to be asked about: parked without a slot, kept over a kill, made once when it is approved. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { MissionCommand, TaskSpec } from '#schemas/types.gen.ts';
import { openNamespace, scriptedTask } from './harness.ts';

/** Runs one task at a time; what it appends to `out/` has to be approved. */
const careful = `---
name: careful
description: asks first
tools: [execute_terminal_command, workspace_write, workspace_read]
sandbox: { shell: true }
policy:
  - { tool: workspace_write, when: { path: "out/*" }, then: ask, expires: 1h, reason: all will see it }
  - { tool: workspace_write, then: allow }
limits: { max_steps: 20, concurrency: 1 }
---
Do what the task says.
`;

const publish = (id: string): TaskSpec => {
  const line = { path: 'out/published.txt', content: `${id}\n`, mode: 'append' };
  const call = { tool: 'workspace_write', arguments: JSON.stringify(line), allow_failure: false };
  return {
    ...scriptedTask({ id, role: 'careful', max_attempts: 1 }),
    script: { calls: [call], answer: 'published' },
  };
};

test('a parked call keeps no slot, outlives its worker, and is made once by the one answer that fits', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['careful'], roleFiles: { careful }, partitions: 1 });
  await space.start('orchestrator');
  const first = await space.start('worker');
  const mission = await space.submit({ tasks: [publish('publish')] });
  const asked = await space.facts.review(mission);
  assert.deepEqual([asked.kind, asked.tool, asked.task_id], ['tool_call', 'workspace_write', 'publish']);
  assert.deepEqual(JSON.parse(asked.arguments), {
    content: 'publish\n',
    mode: 'append',
    path: 'out/published.txt',
  });

  // The worker's only slot is free, and what waits is on the log, not in the worker.
  const other = await space.submit({ tasks: [scriptedTask({ id: 'other', role: 'careful' })] });
  assert.equal((await space.facts.end(other)).event_type, 'mission_completed');
  first.signal('SIGKILL');
  await first.exited;
  await space.start('worker');

  const answer = (changes: Partial<MissionCommand>): Promise<void> =>
    space.command({
      event_type: 'review_completed',
      source_agent: 'person:ann',
      correlation_id: mission,
      review_id: asked.review_id,
      arguments_hash: asked.arguments_hash,
      decision: 'approved',
      ...changes,
    });
  // None of these fits: other arguments, another review, another mission, a decision that there is none of.
  await answer({ arguments_hash: '0'.repeat(64) });
  await answer({ review_id: `${asked.review_id}0` });
  await answer({ correlation_id: other });
  await answer({ decision: 'happened' });
  await answer({ comment: 'go on' });
  // Sent again: it has been used.
  await answer({ decision: 'rejected', comment: 'too late' });
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));

  const answers = space.facts
    .of(mission)
    .flatMap((fact) => (fact.event_type === 'review_completed' ? [fact.payload] : []));
  assert.deepEqual(
    answers.map(({ decision, reviewer, comment }) => [decision, reviewer, comment]),
    [['approved', 'person:ann', 'go on']],
  );
  assert.equal(readFileSync(space.file(mission, 'out/published.txt'), 'utf8'), 'publish\n');
});

test('an approval is for one call: the same call in a later task is asked about again', {
  timeout: 90_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['careful'], roleFiles: { careful }, partitions: 1 });
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const mission = await space.submit({
    tasks: [publish('one'), { ...publish('two'), needs: ['one'] }],
    on_failure: 'continue',
  });
  const answer = async (decision: string): Promise<string> => {
    const { review_id, arguments_hash, task_id } = await space.facts.review(mission);
    const about = { event_type: 'review_completed', correlation_id: mission } as const;
    await space.command({ ...about, review_id, arguments_hash, decision });
    await space.facts.until(
      (facts) =>
        facts
          .of(mission)
          .some((fact) => fact.event_type === 'review_completed' && fact.payload.review_id === review_id),
      `answer to ${review_id}`,
    );
    return task_id;
  };
  assert.equal(await answer('approved'), 'one');
  assert.equal(await answer('rejected'), 'two');
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_failed');
  assert.equal(readFileSync(space.file(mission, 'out/published.txt'), 'utf8'), 'one\n');
});
