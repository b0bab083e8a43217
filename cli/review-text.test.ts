import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import picocolors from 'picocolors';
import { decisions } from '#orchestrator/reviews.ts';
import type { Review } from '#projector/review-queries.ts';
import { reviewLines } from './commands/reviews.ts';
import { answers, boundedJson, exactJson, question, waitingLines } from './review-text.ts';

const plain = picocolors.createColors(false);
const asked = Date.UTC(2026, 10, 24, 12, 0, 0);

const review: Review = {
  mission_id: 'm',
  review_id: 'm/t/1/2',
  task_id: 't',
  kind: 'tool_call',
  reason: 'all will see it',
  tool: 'execute_terminal_command',
  arguments: '{"argv":["git","push"]}',
  arguments_hash: 'abc',
  status: 'waiting',
  reviewer: null,
  comment: null,
  requested_at: new Date(asked),
  expires_at: null,
  completed_at: null,
  mission_name: 'Ship it',
  mission_brief: '',
  mission_status: 'running',
};

/** Lone halves of pairs, too. */
const anyCharacter = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code));

describe('what a person decides on', () => {
  it('is shown to the last character, as the same JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 40 }), (text) => {
        const json = JSON.stringify({ text });
        const shown = exactJson(json);
        assert.deepEqual(JSON.parse(shown), JSON.parse(json));
        assert.doesNotMatch(shown, /[\p{C}\u2028\u2029]/u);
      }),
    );
    assert.equal(exactJson('"rm \u202e\u009b2K\u{e0041}"'), '"rm \\u202e\\u009b2K\\udb40\\udc41"');
  });

  it('says how much is left out where it is cut', () => {
    assert.equal(boundedJson('"0123456789"', 5), '"0123… (7 characters more)');
    assert.equal(boundedJson('"0123456789"', 12), '"0123456789"');
  });

  it('has a question, and a command for each decision that its kind takes', () => {
    for (const [kind, allowed] of Object.entries(decisions)) {
      assert.equal(answers({ kind, review_id: 'm/x' }).length, allowed.length, kind);
      assert.match(question({ kind, task_id: 't', tool: 'x' }), /\?$/, kind);
    }
  });

  it('is said while the mission runs, with what to type', () => {
    const shown = {
      ...review,
      kind: 'tool_call',
      task_id: 't',
      tool: 'run',
      reason: 'why',
      arguments: '{"a":1}',
    };
    assert.deepEqual(waitingLines({ ...shown, expires_at: 0 }, plain), [
      '? A person has to decide: may task t call run? {"a":1}',
      '    why',
      '    npx ravenhelm approve m/t/1/2   (or: ravenhelm reject m/t/1/2)',
    ]);
  });

  it('is listed with everything, and with commands only while it waits', () => {
    const lines = reviewLines(review, asked + 65_000, plain);
    assert.equal(lines[0], '? m/t/1/2  waits for 1 min 5 s');
    assert.ok(lines.includes('  arguments {"argv":["git","push"]}'));
    assert.equal(lines.at(-1), '    npx ravenhelm reject m/t/1/2   no');
    const over = reviewLines({ ...review, mission_status: 'cancelled' }, asked, plain);
    assert.equal(over[0], '· m/t/1/2  waits no more');
    assert.ok(over.every((line) => !line.includes('npx')));
    const done = {
      status: 'approved',
      reviewer: 'person:ann',
      comment: 'fine',
      completed_at: new Date(asked),
    };
    const answered = reviewLines({ ...review, ...done }, asked, plain);
    assert.match(answered.at(-1) ?? '', /^ {2}answered .* by person:ann: fine$/);
  });
});
