import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { quoted, schemaName } from './schema-name.ts';

test('the default namespace has a schema of its own name', () => {
  assert.equal(schemaName('ravenhelm'), 'ravenhelm');
  assert.equal(schemaName('t1_a'), 't1_a');
});

test('prefixes that differ have schemas that differ, as PostgreSQL takes them', () => {
  const names = [
    'a.b',
    'a-b',
    'a_b',
    'public',
    'pg_x',
    'pg_y',
    'information_schema',
    'x'.repeat(60),
    'x'.repeat(61),
  ];
  const schemas = names.map(schemaName);
  assert.equal(new Set(schemas).size, names.length, schemas.join(' '));
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,60}$/), (prefix) => {
      const schema = schemaName(prefix);
      assert.match(schema, /^[a-z0-9_]{1,44}$/);
      assert.ok(!/^(pg_|public$|information_schema$)/.test(schema));
    }),
  );
});

test('names are quoted', () => {
  assert.equal(quoted('1a"b'), '"1a""b"');
});
