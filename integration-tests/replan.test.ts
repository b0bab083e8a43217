/** A failure goes back to the planner with what is done: that stays done, and the rest is planned anew. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { noOptions } from '#schemas/mission-command.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { checkBooks, verifyAll } from './books.ts';
import { type Namespace, openNamespace, realRoles } from './harness.ts';
import { type Asked, calls, type Mind, plans, says, startMinds } from './minds.ts';

const roles = ['orchestrator', 'developer', 'analyst'];
const wall = { id: 'wall', role: 'developer', description: 'Build the wall.' };
const ditch = { id: 'ditch', role: 'developer', description: 'Build the ditch.' };
const verdict = {
  id: 'verdict',
  role: 'analyst',
  description: 'Judge the wall.',
  needs: ['wall', 'ditch'],
};
const gate = { id: 'gate', role: 'developer', description: 'Build the gate.', needs: ['verdict'] };

const again = ({ told }: Asked) => told.includes('This was planned before, and something failed.');

/** First with a judge, whose model declines; then without, on what stands already. A stubborn one tries the judge again. */
const planner: Mind = (asked) => {
  if (!again(asked)) return plans(wall, ditch, verdict, gate);
  if (asked.told.includes('stubbornly')) return plans({ ...verdict, needs: ['wall'] });
  return plans({ ...gate, needs: ['wall', 'ditch'] });
};

/** Each work leaves a line in a file outside the log: what ran twice, stands there twice. */
const developer: Mind = ({ told, results }) => {
  const what = /Build the (\w+)/.exec(told)?.[1] ?? 'nothing';
  const input = { path: 'built.txt', content: `${what}\n`, mode: 'append' };
  return results.length === 0 ? calls({ name: 'workspace_write', input }) : says(`The ${what} stands.`);
};

const claude: Mind = (asked, signal) =>
  asked.request.system.includes('You are the orchestrator')
    ? planner(asked, signal)
    : { text: '', stop: 'refusal' };

const kinds = (space: Namespace, mission: string, type: string) =>
  space.facts.of(mission).filter(({ event_type }) => event_type === type);
const idsOf = (facts: readonly { payload: object }[]) =>
  facts.map(({ payload }) => ('task_id' in payload ? String(payload.task_id) : ''));

test('replanning', { timeout: 120_000 }, async (t) => {
  const space = await openNamespace(t, { roles, roleFiles: realRoles(...roles) });
  const minds = await startMinds(t, { anthropic: claude, ollama: developer });
  const env = { ...minds.env, RAVENHELM_MODEL_ANALYST: 'anthropic/claude-haiku-5-5' };
  await Promise.all([space.start('orchestrator'), space.start('worker', { env }), space.start('projector')]);
  const requests = (brief: string) =>
    minds.fakes.anthropic.calls
      .map(({ request }) => request)
      .filter(({ system, messages }) => system.includes('orchestrator') && messages[0]?.text.includes(brief));

  await t.test('the planner is told what is done and what failed, and plans the rest', async () => {
    const before = minds.charged();
    const brief = 'Fortify the town.';
    const mission = await space.submit({ brief, on_failure: 'replan' });
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_completed', JSON.stringify(end.payload));
    assert.equal(end.payload.result, 'The gate stands.');

    const told = requests(brief).find((request) => request.messages[0]?.text.includes('planned before'));
    const text = told?.messages[0]?.text ?? '';
    assert.match(text, /The wall stands\./);
    assert.match(text, /The ditch stands\./);
    const became = JSON.parse(/^\[$[^]*?^\]$/m.exec(text)?.[0] ?? '[]') as { id: string; what: string }[];
    // What had not begun is not named: it is for the planner to plan.
    assert.deepEqual(became.map(({ id }) => id).toSorted(), ['ditch', 'verdict', 'wall']);
    assert.match(became.find(({ id }) => id === 'verdict')?.what ?? '', /^model_refused: /);

    const built = readFileSync(space.file(mission, 'built.txt'), 'utf8').trim().split('\n');
    assert.deepEqual(built.toSorted(), ['ditch', 'gate', 'wall'], 'each ran once');
    assert.equal(built.at(-1), 'gate');
    const made = kinds(space, mission, 'plan_created').map(
      (fact) => (fact as EventOf<'plan_created'>).payload.made_by,
    );
    assert.deepEqual(made, ['orchestrator', 'replanning', 'orchestrator']);
    assert.deepEqual(idsOf(kinds(space, mission, 'task_completed')).toSorted(), [
      'ditch',
      'plan',
      'r1.gate',
      'replan-1',
      'wall',
    ]);
    const { nanos } = await checkBooks(space, mission);
    assert.equal(nanos, minds.charged() - before);
  });

  await t.test('it ends when it has been planned anew as often as it may', async () => {
    const brief = 'Fortify it stubbornly.';
    const options = { ...noOptions, max_replans: 2 };
    const mission = await space.submit({ brief, on_failure: 'replan', options });
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_failed');
    assert.match(end.payload.message, /^task r2\.verdict failed \(model_refused\), and no replan is left: /);
    assert.equal(requests(brief).length, 3, 'planned once, and twice anew');
    const built = readFileSync(space.file(mission, 'built.txt'), 'utf8').trim().split('\n');
    assert.deepEqual(built.toSorted(), ['ditch', 'wall']);
    await checkBooks(space, mission);
  });

  await verifyAll(space);
});
