import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOfInput } from './input-start.ts';
import { openLog } from './log.ts';

const silent = openLog('test', 'silent');
const quickly = { rewindAsks: 3, rewindMs: 1 };

/** A partition whose leader answers one after the other, and then the last again. */
function starting(restored: number | undefined, ...answers: { low: number; high: number }[]) {
  let asked = 0;
  const ends = () => {
    const answer = answers[Math.min(asked, answers.length - 1)] ?? { low: 0, high: 0 };
    asked += 1;
    return Promise.resolve(answer);
  };
  return startOfInput({ ends }, silent, { topic: 'in', partition: 0, restored }, quickly);
}

test('reading goes on where it was, and of an input that is new at its beginning', async () => {
  assert.equal(await starting(7, { low: 0, high: 9 }), 7);
  assert.equal(await starting(9, { low: 0, high: 9 }), 9);
  assert.equal(await starting(undefined, { low: 3, high: 9 }), 3);
});

test('what retention has taken is passed over', async () => {
  assert.equal(await starting(2, { low: 5, high: 9 }), 5);
});

test('an input topic that was made anew is read from its beginning', async () => {
  assert.equal(await starting(2000, { low: 0, high: 3 }), 0);
});

test('a leader that does not yet know how far its log is committed is asked again, and nothing is repeated', async () => {
  assert.equal(await starting(2000, { low: 0, high: 1990 }, { low: 0, high: 2001 }), 2000);
});
