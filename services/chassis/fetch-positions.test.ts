import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FetchPositions } from './fetch-positions.ts';

function reading(at: number) {
  const seeks: number[] = [];
  const positions = new FetchPositions(0, { seek: (_topic, _partition, offset) => void seeks.push(offset) });
  positions.seek('in', at);
  const judge = (from: number, to: number) => positions.judge('in', from, to);
  return { positions, seeks, judge };
}

test('a batch from where reading was is the next, also one that begins before', () => {
  const { judge } = reading(5);
  assert.equal(judge(5, 9), 'next');
  assert.equal(judge(3, 9), 'next');
});

test('a stale batch from elsewhere is not taken, and the client is put back', () => {
  const { judge, seeks } = reading(5);
  assert.equal(judge(8, 12), 'stray');
  assert.equal(judge(0, 3), 'stray');
  assert.deepEqual(seeks, [5, 5, 5]);
  assert.equal(judge(5, 6), 'next');
});

test('after eight strays in a row it is believed that the log is not what it was', () => {
  const later = reading(5);
  for (let i = 0; i < 8; i++) assert.equal(later.judge(8, 12), 'stray');
  assert.equal(later.judge(8, 12), 'gap');
  const earlier = reading(5);
  for (let i = 0; i < 8; i++) assert.equal(earlier.judge(0, 2), 'stray');
  assert.equal(earlier.judge(0, 2), 'rewound');
});

test('control records are passed over, unless what shows them is from elsewhere than was sought', () => {
  const { positions, judge, seeks } = reading(5);
  positions.passed('in', 8, 9);
  assert.equal(positions.of('in'), 5, 'stale');
  assert.deepEqual(seeks, [5, 5]);
  positions.passed('in', 5, 6);
  assert.equal(positions.of('in'), 6);
  assert.equal(judge(6, 8), 'next');
  positions.moved('in', 8);
  positions.passed('in', null, 10);
  assert.equal(positions.of('in'), 10);
  positions.passed('in', null, 4);
  assert.equal(positions.of('in'), 10, 'it never goes back');
});

test('where compaction has taken all before them, control records are believed after eight more looks', () => {
  const { positions, judge } = reading(5);
  for (let i = 0; i < 8; i++) positions.passed('in', 8, 9);
  assert.equal(positions.of('in'), 5);
  positions.passed('in', 8, 9);
  assert.equal(positions.of('in'), 9);
  assert.equal(judge(9, 10), 'next', 'and nothing is a gap');
});
