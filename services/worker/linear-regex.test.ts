import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob, compileRegex } from './linear-regex.ts';

/**
 * Expressions of the subset over a small alphabet, so that texts meet them often. They are small as well: JavaScript's
 * own engine takes minutes for some larger ones, even on six characters.
 */
const { expression } = fc.letrec<{ expression: string; part: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { maxDepth: 1 },
    fc.constantFrom(
      'a',
      'b',
      'ᚠ',
      '🐦',
      '.',
      '\\d',
      '\\W',
      '\\.',
      '[ab]',
      '[^a-b]',
      '[^]',
      '[]',
      '[\\d-]',
      '\\x61',
    ),
    tie('expression').map((inside) => `(${inside})`),
    tie('expression').map((inside) => `(?:${inside})`),
  ),
  part: fc
    .tuple(tie('atom'), fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', '*?'))
    .map(([atom, times]) => atom + times),
  expression: fc
    .array(
      fc.array(tie('part'), { maxLength: 3 }).map((parts) => parts.join('')),
      { minLength: 1, maxLength: 3 },
    )
    .map((ways) => ways.join('|')),
}));
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'ᚠ', '🐦', '.', '1', '\n', ' '), maxLength: 6 });

test('property: it matches what the engine of JavaScript matches', () => {
  fc.assert(
    fc.property(expression, text, (source, tried) => {
      fc.pre(source.length < 60);
      assert.equal(compileRegex(source)(tried), new RegExp(`^(?:${source})$`, 'u').test(tried));
    }),
    { numRuns: 1_000 },
  );
});

for (const [source, unit] of [
  ['(a+)+b', 'a'],
  ['(a|a)*b', 'a'],
  ['(a?){60}a{60}', 'a'],
  ['.*.*.*.*.*.*.*=', 'x'],
] as const) {
  test(`${source} takes time in proportion to the text`, { timeout: 5_000 }, () => {
    const began = performance.now();
    assert.equal(compileRegex(source)(unit.repeat(20_000)), false);
    assert.ok(performance.now() - began < 2_000);
  });
}

for (const [source, message] of [
  ['(a', /the end, expected "\)"/],
  ['a)', /"\)" that closes nothing at character 2/],
  ['[a', /expected "\]"/],
  ['*', /"\*", which means nothing here/],
  ['(?=a)', /"\(\?", of which only/],
  ['(a)\\1', /"\\1", which is not understood/],
  ['^a', /"\^", which means nothing here/],
  ['a{2,1}', /in the wrong order/],
  ['(((((){999}){999}){999}){999})', /too large/],
  ['a{9999}', /too large/],
  ['('.repeat(200), /deeper/],
] as const) {
  test(`refuses ${source.slice(0, 40)}`, () => {
    assert.throws(() => compileRegex(source), { name: 'SyntaxError', message });
  });
}

test('a glob is anchored at both ends, and only * is special in it', () => {
  for (const [glob, tried, wanted] of [
    ['git log*', 'git log --oneline', true],
    ['git log*', 'xgit log', false],
    ['a.c', 'abc', false],
    ['*.*', 'a\nb.c', true],
    ['[a]?', '[a]?', true],
    ['', '', true],
    ['', 'a', false],
  ] as const) {
    assert.equal(compileGlob(glob)(tried), wanted, `${glob} on ${tried}`);
  }
});
