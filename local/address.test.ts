import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#chassis/failures.ts';
import { givenAddress } from './address.ts';
import { withoutPassword } from './status.ts';

const all = {
  KAFKA_BROKERS: 'a:9092, b:9093',
  SCHEMA_REGISTRY_URL: 'http://registry:8081/',
  DATABASE_URL: 'postgres://u:p@db/x',
};

test('all three addresses together are used', () => {
  assert.deepEqual(givenAddress(all), {
    kind: 'given',
    brokers: ['a:9092', 'b:9093'],
    registry: 'http://registry:8081',
    database: 'postgres://u:p@db/x',
    console: null,
  });
});

test('no address, or only blank ones, is none', () => {
  assert.equal(givenAddress({}), null);
  assert.equal(givenAddress({ KAFKA_BROKERS: ' ', DATABASE_URL: '' }), null);
});

test('some but not all are refused, naming exactly those that are missing, and no value', () => {
  const names = Object.keys(all) as (keyof typeof all)[];
  const some = fc.subarray(names, { minLength: 1, maxLength: names.length - 1 });
  fc.assert(
    fc.property(some, (set) => {
      const env = Object.fromEntries(set.map((name) => [name, all[name]]));
      assert.throws(
        () => givenAddress(env),
        (error) => {
          assert(error instanceof Failure && error.code === 'stack_incomplete_address');
          const missing = error.message.split('but not ')[1]?.split(':')[0] ?? '';
          for (const name of names) assert.equal(missing.includes(name), !set.includes(name));
          assert(!error.message.includes('postgres://'));
          return true;
        },
      );
    }),
  );
});

test('an address is shown without its password', () => {
  assert.equal(withoutPassword('postgres://me:secret@db:5432/x'), 'postgres://me:***@db:5432/x');
  assert.equal(withoutPassword('http://registry:8081'), 'http://registry:8081');
});
