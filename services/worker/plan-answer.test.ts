import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { planFrom } from '#orchestrator/plan.ts';
import { tasksInResult } from '#orchestrator/planning.ts';
import { defaultPolicy } from '#orchestrator/policy.ts';
import { checkPlan, planAnswer } from './plan-answer.ts';

const limits = { roles: ['developer', 'analyst'], mostTasks: 20 };
const task = (id: string, more: object = {}) => ({
  id,
  role: 'developer',
  description: `Do ${id}.`,
  ...more,
});
const check = (...tasks: unknown[]) => checkPlan({ tasks }, limits);

describe('checkPlan', () => {
  it('finds nothing wrong with a plan', () => {
    const undo = { compensation: { description: 'Stop it.' }, timeout_ms: 60_000, partial: true };
    assert.deepEqual(
      check(task('a', { needs: ['b'] }), task('b', undo), task('c', { compensation: null })),
      [],
    );
  });

  it('lists all that is wrong at once, with what was found and what was expected', () => {
    const found = check(
      task('a', { role: 'wizard', needs: ['a', 'x', 'b', 'b'] }),
      task('plan', { description: ' ' }),
      task('b'),
      task('b', { timeout_ms: 1, script: null }),
      task('-', { partial: 'yes', compensation: { description: '', script: 1 } }),
      { id: 7, needs: 'a' },
    );
    assert.deepEqual(found.toSorted(), [
      'tasks[0].needs of "a": found "b" twice, expected each once',
      'tasks[0].needs of "a": found "x", expected the id of a task of this plan',
      'tasks[0].needs of "a": found itself, expected other tasks',
      'tasks[0].role of "a": found "wizard", expected one of analyst, developer',
      'tasks[1].description: found no text, expected what the agent has to do',
      'tasks[1].id: found "plan", which is the planning itself; expected another id',
      'tasks[3].id: found "b" again, as in tasks[2]; expected unique ids',
      'tasks[3].timeout_ms: found 1, expected at least 100',
      'tasks[3]: found "script", expected only id, role, description, needs, timeout_ms, partial, compensation',
      'tasks[4].compensation.description: found no text, expected how to undo the task',
      'tasks[4].compensation: found "script", expected only description',
      'tasks[4].id: found "-", expected 1 to 128 letters, digits, ".", "_" and "-", the first a letter or digit',
      'tasks[4].partial: found "yes", expected true or false',
      'tasks[5].description: found nothing, expected a text',
      'tasks[5].id: found 7, expected a text',
      'tasks[5].needs: found "a", expected a list',
      'tasks[5].role: found nothing, expected a text',
    ]);
  });

  it('spells out every cycle', () => {
    const found = check(
      task('a', { needs: ['b'] }),
      task('b', { needs: ['c'] }),
      task('c', { needs: ['a'] }),
      task('d', { needs: ['e', 'a'] }),
      task('e', { needs: ['d', 'nobody'] }),
    );
    assert.deepEqual(found, [
      'tasks[4].needs of "e": found "nobody", expected the id of a task of this plan',
      'tasks: found a cycle of needs: a → b → c → a',
      'tasks: found a cycle of needs: d → e → d',
    ]);
  });

  it('refuses what is too much, too little or nothing of the kind', () => {
    const many = Array.from({ length: 21 }, (_, at) => task(`t${at}`));
    assert.deepEqual(checkPlan({ tasks: many }, limits), [
      'tasks: found 21, expected at most 20; make several into one',
    ]);
    const long = check(task('a', { description: 'ä'.repeat(5000) }));
    assert.match(long.join(), /^the plan: found \d+ bytes of JSON, expected at most 8192; shorten/);
    assert.deepEqual(check(), ['tasks: found none, expected at least one task']);
    assert.deepEqual(checkPlan('a plan', limits), ['the plan: found "a plan", expected an object']);
    assert.deepEqual(checkPlan(undefined, limits), ['the plan: found nothing, expected an object']);
    assert.deepEqual(checkPlan({}, limits), ['tasks: found nothing, expected a list']);
    assert.deepEqual(checkPlan({ tasks: [task('a')], note: 1 }, limits), [
      'the plan: found "note", expected only tasks',
    ]);
  });

  it('finds nothing exactly where the orchestrator takes the plan', () => {
    const tasksOf = (ids: readonly string[], most: number) =>
      fc.record({
        id: fc.constantFrom(...ids),
        role: fc.constantFrom('developer', 'analyst'),
        description: fc.constant('Do it.'),
        needs: fc.array(fc.constantFrom(...ids), { maxLength: most }),
      });
    const good = ['a', 'b', 'c', 'd'];
    const some = fc.oneof(
      fc.array(tasksOf([...good, 'plan', '-', ''], 3), { maxLength: 4 }),
      fc.uniqueArray(tasksOf(good, 1), { minLength: 4, maxLength: 4, selector: ({ id }) => id }),
    );
    let taken = 0;
    fc.assert(
      fc.property(some, (tasks) => {
        const problems = check(...tasks);
        let refused = '';
        try {
          planFrom(tasksInResult(JSON.stringify({ tasks })), defaultPolicy);
          taken += 1;
        } catch (error) {
          refused = String(error);
        }
        assert.equal(problems.length > 0, refused !== '', `${problems.join('\n')} but ${refused}`);
      }),
      { numRuns: 400 },
    );
    assert.ok(taken > 20, `${taken} plans were taken`);
  });

  it('answers any value with problems or none, and none only where the schema takes it', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.array(fc.jsonValue()).map((tasks) => ({ tasks })),
        ),
        (value) => {
          const problems = checkPlan(value, limits);
          for (const problem of problems) assert.match(problem, /^.+: found /s);
          if (problems.length === 0) assert.ok(planAnswer.safeParse(value).success);
        },
      ),
    );
  });
});

describe('planAnswer', () => {
  it('can be told to a model as a JSON schema', () => {
    const schema = z.toJSONSchema(planAnswer, { io: 'input' });
    assert.deepEqual(schema.required, ['tasks']);
    assert.equal(schema.additionalProperties, false);
    assert.match(JSON.stringify(schema), /"compensation"/);
  });
});
