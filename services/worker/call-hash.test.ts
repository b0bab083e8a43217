import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalArguments, hashOfCall } from './call-hash.ts';

const key = fc.string({ unit: 'grapheme', maxLength: 5 }).filter((name) => name !== '__proto__');
const value = fc.jsonValue({ maxDepth: 3 }).filter((each) => !JSON.stringify(each).includes('__proto__'));
const entries = fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 6 });
const json = (pairs: readonly (readonly [string, unknown])[], indent?: number) =>
  JSON.stringify(Object.fromEntries(pairs), null, indent);

test('property: the order of keys and white space make no difference to the hash', () => {
  fc.assert(
    fc.property(entries, (pairs) => {
      assert.equal(hashOfCall('t', json(pairs)), hashOfCall('t', `\n${json(pairs.toReversed(), 2)} `));
    }),
  );
});

test('property: other arguments have another hash, and the canonical form says the same as the call', () => {
  fc.assert(
    fc.property(entries, entries, (a, b) => {
      const same = canonicalArguments(json(a)) === canonicalArguments(json(b));
      assert.equal(hashOfCall('t', json(a)) === hashOfCall('t', json(b)), same);
      assert.deepEqual(JSON.parse(canonicalArguments(json(a))), JSON.parse(json(a)));
    }),
  );
});

test('the hash is of the tool as well, and of exactly these bytes', () => {
  assert.notEqual(hashOfCall('a', '{}'), hashOfCall('b', '{}'));
  assert.equal(hashOfCall('a', ''), hashOfCall('a', '{}'));
  assert.equal(
    hashOfCall('t', '{"b":1,"a":[true,null,"x"]}'),
    // printf '%s' '{"arguments":{"a":[true,null,"x"],"b":1},"tool":"t"}' | sha256sum
    '19e035357f29debee192fb28ec1adc45ffafc1b3848ba6998163b2245edbc734',
  );
});

test('a key given twice counts as the tool will see it, and people are shown that one', () => {
  const call = '{"path":"harmless","path":"secret"}';
  assert.equal(canonicalArguments(call), '{"path":"secret"}');
  assert.equal(hashOfCall('t', call), hashOfCall('t', '{"path":"secret"}'));
});

test('composed and decomposed letters, and invisible ones, are different arguments', () => {
  const texts = ['é', 'e\u0301', 'e', 'e\u200b', 'е'];
  const hashes = texts.map((text) => hashOfCall('t', JSON.stringify({ text })));
  assert.equal(new Set(hashes).size, texts.length);
});

for (const [what, args] of [
  ['no JSON', '{'],
  ['a list', '[]'],
  ['null', 'null'],
  ['__proto__', '{"a":[{"__proto__":{"x":1}}]}'],
  ['deep nesting', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
] as const) {
  test(`there is no hash of ${what}`, () => {
    assert.throws(() => hashOfCall('t', args), { code: 'invalid_arguments' });
  });
}
