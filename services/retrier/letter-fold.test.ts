import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type LetterEvent, type LetterFact, letterEvent } from './letter-events.ts';
import { evolve, noHistory } from './letter-fold.ts';

const dead_letter_id = '1-7';
const facts = {
  recorded: {
    event_type: 'dead_letter_recorded',
    payload: {
      ...{
        dead_letter_id,
        topic: 't',
        partition: 0,
        offset: 3,
        code: 'undecodable',
        message: 'junk',
        attempts: 1,
      },
      ...{ service: 'worker', redrive_count: 0, origin_event_id: '', origin_event_type: '', mission_id: 'm' },
      ...{ role: '', size: 3, hash: 'h' },
    },
  },
  edited: {
    event_type: 'dead_letter_edited',
    payload: {
      ...{ dead_letter_id, edited_by: 'ada', reason: 'typo', difference: 'a → b' },
      ...{ original_hash: 'h', edited_hash: 'e' },
    },
  },
  redriven: {
    event_type: 'dead_letter_redriven',
    payload: {
      ...{ dead_letter_id, redriven_by: 'ada', reason: 'mended', topic: 't', redrive_count: 1 },
      ...{ partition: 0, upcast: true, sent_hash: 'e' },
    },
  },
  archived: {
    event_type: 'dead_letter_archived',
    payload: { dead_letter_id, archived_by: 'ada', reason: 'hopeless' },
  },
  parked: {
    event_type: 'dead_letter_parked',
    payload: { dead_letter_id, parked_by: 'ada', reason: 'later', redrive_count: 0 },
  },
  refused: {
    event_type: 'dead_letter_refused',
    payload: { dead_letter_id, action: 'edit', requested_by: 'ada', code: 'letter_changed', message: 'no' },
  },
} as const satisfies Record<string, LetterFact>;
type What = keyof typeof facts;
const whats = Object.keys(facts) as What[];

const said = (what: What, cause: string, now = 5): LetterEvent =>
  letterEvent(facts[what], { cause, mission: 'm', now });
const given = (...events: LetterEvent[]) => events.reduce(evolve, noHistory);

describe('the history of a letter', () => {
  it('begins when the retrier records it', () => {
    const { state, hash, edit } = given(said('recorded', ''));
    assert.deepEqual([state, hash, edit], ['waiting', 'h', null]);
  });

  it('keeps the request and the bytes of the newest edit', () => {
    const { state, hash, edit } = given(said('recorded', ''), said('edited', 'r1'), said('edited', 'r2'));
    assert.deepEqual([state, hash, edit], ['waiting', 'e', 'r2']);
  });

  it('says who, why, when and what', () => {
    const { decided } = given(said('recorded', 'x'), said('redriven', 'r1', 9));
    const detail = 'to t, with the newest schema';
    assert.deepEqual(decided, [
      { what: 'recorded', by: 'worker', reason: 'undecodable', at: 5, request: '', detail: 'junk' },
      { what: 'redriven', by: 'ada', reason: 'mended', at: 9, request: 'r1', detail },
    ]);
  });

  it('remembers every event in order, and a refusal changes nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...whats), { maxLength: 20 }), (order) => {
        const all = given(...order.map((what, at) => said(what, `r${at}`)));
        assert.deepEqual(
          all.decided.map(({ what }) => what),
          order,
        );
        const kept = order.flatMap((what, at) => (what === 'refused' ? [] : [said(what, `r${at}`)]));
        const { state, edit, hash } = given(...kept);
        assert.deepEqual([all.state, all.edit, all.hash], [state, edit, hash]);
      }),
    );
  });
});
