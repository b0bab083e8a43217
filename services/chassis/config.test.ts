import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from './config.ts';
import { Failure } from './failures.ts';

const valid = {
  KAFKA_BROKERS: '127.0.0.1:19092, 127.0.0.1:19093',
  SCHEMA_REGISTRY_URL: 'http://127.0.0.1:18081',
};

test('addresses are read, the rest has defaults', () => {
  const config = readConfig(valid);
  assert.deepEqual(config.KAFKA_BROKERS, ['127.0.0.1:19092', '127.0.0.1:19093']);
  assert.equal(config.RAVENHELM_PREFIX, 'ravenhelm');
  assert.equal(config.HEALTH_HOST, '127.0.0.1');
});

test('one error lists all that is wrong, what was found, and no password', () => {
  const wrong = {
    KAFKA_BROKERS: 'nowhere',
    DATABASE_URL: 'mysql://user:hunter2@127.0.0.1/db',
    RAVENHELM_PARTITIONS: '0',
    LOG_LEVEL: 'loud',
  };
  assert.throws(
    () => readConfig(wrong),
    (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.code, 'invalid_configuration');
      for (const name of [...Object.keys(wrong), 'SCHEMA_REGISTRY_URL'])
        assert.match(error.message, new RegExp(name));
      assert.match(error.message, /host:port/);
      assert.match(error.message, /not set/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    },
  );
});
