/**
 * A small mission on a real model, for `npm run test:live`: RAVENHELM_LIVE names the models that are there, as
 * `provider/name` with commas between. Not part of `npm test`: it costs money and needs a provider.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { taskSpec } from '#schemas/task-spec.ts';
import { openNamespace } from './harness.ts';

const wanted = (process.env['RAVENHELM_LIVE'] ?? '').split(',').filter((model) => model !== '');

for (const model of wanted) {
  test(`${model} carries out a mission of two tasks with real tools`, { timeout: 600_000 }, async (t) => {
    const space = await openNamespace(t, { roles: ['builder', 'checker'] });
    await Promise.all([
      space.start('orchestrator'),
      space.start('worker', { env: { RAVENHELM_MODEL: model } }),
    ]);
    const mission = await space.submit({
      tasks: [
        taskSpec({
          id: 'write',
          role: 'builder',
          description:
            'Write the word raven into the file word.txt of the workspace with the tool workspace_write.',
        }),
        taskSpec({
          id: 'read',
          role: 'checker',
          needs: ['write'],
          description:
            'Read the file word.txt with the tool workspace_read and answer with its content only.',
        }),
      ],
    });
    const end = await space.facts.end(mission, 500_000);
    assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
    assert.match(readFileSync(join(space.folder, 'workspaces', mission, 'word.txt'), 'utf8'), /raven/i);
    if (end.event_type !== 'mission_completed') return;
    const { usage, result } = end.payload;
    assert.match(result, /raven/i);
    assert.ok(usage.calls >= 4 && usage.input_tokens > 0 && usage.output_tokens > 0, JSON.stringify(usage));
    t.diagnostic(`${usage.calls} calls, ${JSON.stringify(usage)}`);
  });
}

test('a model was named', () => assert.ok(wanted.length > 0, 'RAVENHELM_LIVE names no model'));
