import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonDifference } from './json-difference.ts';

test('says each place that changed, and nothing else', () => {
  const before = { a: 1, b: { c: 'x', d: [1, 2] }, e: null };
  assert.deepEqual(jsonDifference(before, structuredClone(before)), []);
  assert.deepEqual(jsonDifference(before, { a: 2, b: { c: 'x', d: [1, 3, 4] }, f: true }), [
    'a: 1 → 2',
    'b.d.1: 2 → 3',
    'b.d.2: nothing → 4',
    'e: null → nothing',
    'f: nothing → true',
  ]);
});
