import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decide, type Request } from './decide.ts';
import type { Letter } from './letter.ts';

const waiting: Letter = {
  ...{ partition: 1, offset: 7, state: 'waiting', topic: 't', mission: 'm', code: 'undecodable' },
  ...{ redrives: 0, hash: 'h', recorded_at: 0, told: false, order: null },
};
const ask = (fields: Partial<Request> = {}): Request => ({
  ...{ id: 'r1', action: 'redrive', by: 'ada', reason: '', rate: 0, force: false },
  ...{ original_hash: 'h', edited_hash: 'e' },
  ...fields,
});
const settings = { mostRedrives: 3, number: 1, returns: (topic: string) => topic === 't' };
const code = (letter: Letter | undefined, request: Request) => {
  const decision = decide(letter, '1-7', request, settings);
  return decision.kind === 'refused' ? decision.code : decision.kind;
};

describe('what is asked for with a letter', () => {
  it('is refused for an assignment whose task has gone on: another worker may be at it', () => {
    const told = { ...waiting, told: true };
    assert.equal(code(told, ask()), 'letter_not_returnable');
    assert.equal(code(told, ask({ force: true })), 'letter_not_returnable');
    assert.equal(code(told, ask({ action: 'archive' })), 'archived');
  });

  it('is done to one that waits', () => {
    assert.equal(code(waiting, ask()), 'queued');
    assert.equal(code(waiting, ask({ action: 'archive' })), 'archived');
    assert.equal(code(waiting, ask({ action: 'edit' })), 'edited');
    assert.equal(code(waiting, ask({ action: 'park' })), 'parked');
  });

  it('is refused for one that is unknown, settled, changed, or of a topic with one writer', () => {
    assert.equal(code(undefined, ask()), 'not_found');
    assert.equal(code({ ...waiting, state: 'archived' }, ask({ force: true })), 'letter_settled');
    assert.equal(code(waiting, ask({ action: 'edit', original_hash: 'x' })), 'letter_changed');
    assert.equal(code({ ...waiting, topic: 'ledger' }, ask({ force: true })), 'letter_not_returnable');
  });

  it('parks what came back too often, and sends it only when told so', () => {
    assert.equal(code({ ...waiting, redrives: 2 }, ask()), 'queued');
    assert.equal(code({ ...waiting, redrives: 3 }, ask()), 'parked');
    assert.equal(code({ ...waiting, state: 'parked' }, ask()), 'letter_parked');
    assert.equal(code({ ...waiting, state: 'parked', redrives: 9 }, ask({ force: true })), 'queued');
  });

  it('sends a letter at most once, whatever is asked for and how often', () => {
    const request = fc.record({
      id: fc.constantFrom('r1', 'r2', 'r3'),
      action: fc.constantFrom('redrive', 'archive', 'park', 'edit'),
      force: fc.boolean(),
      original_hash: fc.constantFrom('h', 'e'),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(request, fc.boolean()), { maxLength: 20 }), (requests) => {
        let letter = waiting;
        let sent = 0;
        for (const [fields, sends] of requests) {
          const decision = decide(letter, '1-7', ask(fields as Partial<Request>), settings);
          if ('letter' in decision) letter = decision.letter;
          if (letter.state === 'queued' && sends) {
            letter = { ...letter, state: 'redriven' };
            sent += 1;
          }
        }
        assert.ok(sent <= 1);
      }),
    );
  });
});
