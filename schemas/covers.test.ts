import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import fc from 'fast-check';
import { covers } from './covers.ts';

const record = (fields: readonly string[]) =>
  avsc.Type.forSchema({
    type: 'record',
    name: 'R',
    fields: fields.map((name) => ({ name, type: 'string' })),
  });
const enumOf = (...symbols: string[]) => avsc.Type.forSchema({ type: 'enum', name: 'E', symbols });

test('a record covers another exactly when it has all of its fields', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'));
  fc.assert(
    fc.property(names, names, (ours, written) => {
      const expected = written.every((name) => ours.includes(name));
      assert.equal(covers(record(ours), record(written)), expected);
    }),
  );
});

test('an enum or a union with more than ours is not covered', () => {
  assert.ok(covers(enumOf('x', 'y'), enumOf('x')));
  assert.ok(!covers(enumOf('x'), enumOf('x', 'y')));
  const nullable = avsc.Type.forSchema(['null', 'string']);
  const text = avsc.Type.forSchema('string');
  assert.ok(covers(nullable, text));
  assert.ok(!covers(text, nullable));
});
