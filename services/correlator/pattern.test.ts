import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { viewOf } from './event-view.ts';
import { fits, fitsText, holds } from './pattern.ts';
import { Ledger, ledgerTopic, pattern } from './scenario.ts';

const last = (ledger: Ledger) => {
  const fact = ledger.facts.at(-1);
  assert.ok(fact);
  return viewOf(fact, ledgerTopic);
};
const failed = last(new Ledger().failed('a', 'timeout'));
const emitted = last(
  new Ledger().emitted('Story', { id: 'S-1', size: 3, tags: ['a'] }, { topic: 'stories.approved' }),
);

describe('a pattern', () => {
  it('looks at nothing that it leaves empty', () => assert.ok(fits(pattern({}), failed)));

  const cases = [
    [{ type: 'task_failed' }, failed, true],
    [{ type: 'task_*' }, failed, true],
    [{ type: 'task_completed' }, failed, false],
    [{ type: 'Story' }, emitted, true],
    [{ type: 'event_emitted' }, emitted, true],
    [{ source: 'a_role' }, failed, true],
    [{ source: 'b*' }, failed, false],
    [{ target: 'squad' }, failed, true],
    [{ topic: 'stories.*' }, emitted, true],
    [{ topic: '*.coordination' }, emitted, true],
    [{ topic: 'stories.*' }, failed, false],
    [{ severity: 'warning' }, failed, true],
    [{ severity: 'critical' }, failed, false],
    [{ severity: 'warning' }, emitted, false],
    [{ type: 'task_failed', source: 'b' }, failed, false],
  ] as const;
  for (const [fields, view, expected] of cases) {
    it(`${JSON.stringify(fields)} ${expected ? 'means' : 'does not mean'} ${view.names.at(-1)}`, () => {
      assert.equal(fits(pattern(fields), view), expected);
    });
  }

  it('takes the severity of an emitted event from it', () => {
    const loud = last(new Ledger().emitted('Fire', null, { severity: 'critical' }));
    assert.ok(fits(pattern({ severity: 'error' }), loud));
  });
});

describe('a condition', () => {
  const cases = [
    ['payload.code', 'eq', '"timeout"', failed, true],
    ['payload.code', '', '"timeout"', failed, true],
    ['payload.code', 'ne', '"timeout"', failed, false],
    ['payload.nothing', 'ne', '"timeout"', failed, true],
    ['payload.code', 'in', '["a","timeout"]', failed, true],
    ['payload.code', 'matches', '"time*"', failed, true],
    ['payload.attempt', 'gte', '1', failed, true],
    ['payload.attempt', 'gt', '1', failed, false],
    ['payload.attempt', 'gt', '"0"', failed, false],
    ['data.size', 'lt', '4', emitted, true],
    ['data.tags.0', 'eq', '"a"', emitted, true],
    ['data.tags', 'eq', '["a"]', emitted, true],
    ['data', 'eq', '{"tags":["a"],"size":3,"id":"S-1"}', emitted, true],
    ['data.id', 'exists', '', emitted, true],
    ['data.id', 'exists', 'false', emitted, false],
    ['data.other', 'exists', 'false', emitted, true],
    ['data.constructor', 'exists', '', emitted, false],
    ['data.id', 'eq', 'not json', emitted, false],
    ['data.id', 'unheard_of', '"S-1"', emitted, false],
  ] as const;
  for (const [path, op, value, view, expected] of cases) {
    it(`${path} ${op} ${value}: ${expected}`, () => assert.equal(holds({ path, op, value }, view), expected));
  }
});

describe('a star', () => {
  it('stands for any text, as a regular expression would have it', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 });
    fc.assert(
      fc.property(part, part, (glob, text) => {
        const escaped = glob.replaceAll('.', '\\.').replaceAll('*', '[^]*');
        assert.equal(fitsText(glob, text), new RegExp(`^${escaped}$`).test(text));
      }),
    );
  });

  it('takes no longer for a text that is made to be hard', () => {
    // Its regular expression would not end today.
    assert.equal(fitsText(`${'*a'.repeat(50)}b`, 'a'.repeat(200_000)), false);
  });
});
