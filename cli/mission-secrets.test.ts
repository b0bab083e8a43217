/** What a person submits is on the log for good: no secret of this process, and nothing of the shape of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMission } from '#missions/load.ts';

process.env['DEPLOY_TOKEN'] = 'k9Xw2fQz77Lm0pRt';
const { newCommand, secretsNote } = await import('./mission-command.ts');
const shaped = `ghp_${'a1B2c3D4e5F6g7H8i9J0'.repeat(2).slice(0, 36)}`;

test('secrets in a brief, a task, a script and a reason are taken out of the command, and the person is told', () => {
  const mission = parseMission(
    `
name: Ship with k9Xw2fQz77Lm0pRt
brief: The key is ${shaped}
tasks:
  - { role: a, id: a, description: "Use k9Xw2fQz77Lm0pRt", script: [{ run: "curl -H 'X: ${shaped}' x" }] }
`,
    'm.yaml',
  );
  const said = JSON.stringify([
    newCommand('m', { event_type: 'mission_submitted', ...mission }, 0),
    newCommand('m', { event_type: 'mission_cancelled', reason: `leaked ${shaped}` }, 0),
  ]);
  assert.ok(!said.includes('k9Xw2fQz77Lm0pRt') && !said.includes(shaped), said);
  assert.equal(said.match(/\[secret:DEPLOY_TOKEN\]/g)?.length, 2, said);
  assert.match(secretsNote(mission), /looks like a secret/);
});

test('a mission without secrets is submitted as it is, without a word', () => {
  const mission = parseMission('name: Plain\nbrief: Deploy the platform\n', 'm.yaml');
  const command = newCommand('m', { event_type: 'mission_submitted', ...mission }, 0);
  assert.deepEqual([command.name, command.brief], ['Plain', 'Deploy the platform']);
  assert.equal(secretsNote(mission), '');
});
