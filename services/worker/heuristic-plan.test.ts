import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planFrom } from '#orchestrator/plan.ts';
import { tasksInResult } from '#orchestrator/planning.ts';
import { defaultPolicy } from '#orchestrator/policy.ts';
import { heuristicAnswer } from './heuristic-plan.ts';

const roles = ['researcher', 'analyst', 'developer'];

describe('the answer without a model', () => {
  it('is a plan of any brief, and has room in a record', () => {
    const part = fc.oneof(
      fc.string(),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('"', '\u0001', '\n- do '),
    );
    const briefs = fc.tuple(part, fc.integer({ min: 1, max: 64_000 })).map(([text, bytes]) =>
      Buffer.from((text || 'x').repeat(bytes))
        .subarray(0, bytes)
        .toString(),
    );
    fc.assert(
      fc.property(briefs, fc.integer({ min: 0, max: 15 }), (description, agents) => {
        const answer = heuristicAnswer({ description, roles, agents });
        assert.ok(Buffer.byteLength(answer) <= 200_000);
        planFrom(tasksInResult(answer), defaultPolicy, roles);
      }),
      { numRuns: 60 },
    );
  });

  it('is none without a role that could do the work', () => {
    const asked = { description: 'do it', roles: ['drummer'], agents: 0 };
    assert.throws(() => heuristicAnswer(asked), { code: 'role_unknown' });
  });
});
