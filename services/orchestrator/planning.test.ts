import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#chassis/failures.ts';
import { planFrom } from './plan.ts';
import { planningPlan, tasksInResult } from './planning.ts';
import { defaultPolicy } from './policy.ts';

const planInResult = (result: string) => planFrom(tasksInResult(result), defaultPolicy);

const refuses = (result: string, message: RegExp) =>
  assert.throws(() => planInResult(result), { code: 'invalid_plan', message });
const planOf = (task: object) => JSON.stringify({ tasks: [task] });
const ok = { id: 'a', role: 'r' };

describe('planning', () => {
  it('says where a result is not a plan', () => {
    refuses('Here is the plan: {}', /^the plan is not one JSON document: /);
    refuses('[]', /^the plan: found \[\], expected an object/);
    refuses('{}', /^tasks: found undefined, expected a list/);
    refuses('{"tasks":[]}', /^tasks: found 0, expected from 1/);
    refuses(planOf({ role: 'r' }), /^tasks\[0\].id: found undefined, expected a text/);
    refuses(planOf({ ...ok, needs: [1] }), /^tasks\[0\].needs\[0\]: found 1, expected a text/);
    refuses(planOf({ ...ok, wave: '1' }), /^tasks\[0\].wave: found "1", expected a whole number/);
    refuses(planOf({ ...ok, timeout: 1 }), /^tasks\[0\]: found "timeout", expected only id, role/);
    refuses(
      planOf({ ...ok, script: { calls: [{ tool: 't', arguments: 1 }] } }),
      /calls\[0\].arguments: found 1/,
    );
    refuses(
      planOf({ ...ok, script: { calls: [{ tool: 't', allow_failure: 1 }] } }),
      /allow_failure: found 1/,
    );
    refuses(planOf({ ...ok, id: 'plan' }), /^tasks\[0\].id: found plan, expected another id/);
  });

  it('takes a plan, with what it left out filled in', () => {
    const calls = [{ tool: 't', arguments: { path: 'x' } }];
    const result = JSON.stringify({
      tasks: [
        { ...ok, script: { calls } },
        { ...ok, id: 'b', needs: ['a'] },
      ],
    });
    const { tasks } = planInResult(result);
    assert.deepEqual(
      tasks.map(({ id, wave, needs, script }) => ({ id, wave, needs, script })),
      [
        {
          id: 'a',
          wave: 1,
          needs: [],
          script: { calls: [{ tool: 't', arguments: '{"path":"x"}', allow_failure: false }], answer: '' },
        },
        { id: 'b', wave: 2, needs: ['a'], script: null },
      ],
    );
  });

  it('answers any JSON with a plan or a Failure', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.jsonValue().map((tasks) => JSON.stringify({ tasks })),
        ),
        (result) => {
          try {
            assert.ok(planInResult(result).tasks.length > 0);
          } catch (error) {
            assert.ok(error instanceof Failure, String(error));
          }
        },
      ),
    );
  });

  it('asks the orchestrator for a plan, in wave 0', () => {
    const { tasks, waves } = planningPlan('Deploy the platform', defaultPolicy);
    assert.equal(tasks.length, 1);
    const [task] = tasks;
    assert.deepEqual([task?.id, task?.role, task?.wave], ['plan', 'orchestrator', 0]);
    assert.deepEqual([task?.kind, task?.description], ['plan', 'Deploy the platform']);
    assert.deepEqual(waves, [[0]]);
    assert.throws(() => planningPlan(' ', defaultPolicy), { code: 'invalid_mission' });
    assert.throws(() => planningPlan('x'.repeat(64_001), defaultPolicy), { code: 'invalid_mission' });
  });
});
