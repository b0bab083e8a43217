import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openNamespace, scriptedTask } from './harness.ts';

test('a mission of three waves runs to its end, each task once', { timeout: 120_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['builder', 'checker'] });
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const append = (word: string) => [{ command: `echo ${word} >> log.txt` }];
  const mission = await space.submit({
    tasks: [
      scriptedTask({ id: 'a', role: 'builder' }, append('a')),
      scriptedTask({ id: 'b', role: 'builder' }, append('b')),
      scriptedTask({ id: 'c', role: 'checker', needs: ['a', 'b'] }, append('c')),
      scriptedTask({ id: 'd', role: 'builder', needs: ['c'] }, append('d')),
    ],
  });
  const end = await space.facts.end(mission);
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));

  const facts = space.facts.of(mission);
  assert.deepEqual(
    facts.map(({ sequence }) => sequence),
    facts.map((_, i) => i + 1),
  );
  const completed = facts.flatMap((fact) =>
    fact.event_type === 'task_completed' ? [fact.payload.task_id] : [],
  );
  assert.deepEqual(completed.toSorted(), ['a', 'b', 'c', 'd']);
  const log = readFileSync(join(space.folder, 'workspaces', mission, 'log.txt'), 'utf8')
    .trim()
    .split('\n');
  assert.deepEqual(
    [log.slice(0, 2).toSorted(), log.slice(2)],
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  );
});
