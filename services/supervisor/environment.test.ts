import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from './environment.ts';
import { countsOf, servicesFor } from './services.ts';

const plain = {
  PATH: '/usr/bin',
  HOME: '/home/a',
  KAFKA_BROKERS: '127.0.0.1:9092',
  KAFKA_PASSWORD: 'k9Xw2fQz77Lm0pRt',
  SCHEMA_REGISTRY_URL: 'http://registry:s3cretRegistry@127.0.0.1:8081',
  RAVENHELM_PREFIX: 'ravenhelm',
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer abc',
  LOG_LEVEL: 'info',
};
const database = { DATABASE_URL: 'postgres://a:Zq7rT1xV9bNm3@127.0.0.1/a', PGPASSWORD: 'Zq7rT1xV9bNm3' };
const forAgents = {
  ANTHROPIC_API_KEY: 'a-key-of-anthropic',
  ANTHROPIC_BASE_URL: 'http://127.0.0.1:1',
  OPENAI_API_KEY: 'a-key-of-openai',
  OLLAMA_HOST: '127.0.0.1:11434',
  ISSUES_TOKEN: 't1',
  WEATHER: 'https://me:Yb4nP0sW8eRt2@weather.example',
};
const all = { ...plain, ...database, ...forAgents };

test('keys of providers and of MCP servers reach the worker alone, the database the projector alone', () => {
  assert.deepEqual(environmentOf('worker', all), { ...plain, ...forAgents });
  assert.deepEqual(environmentOf('orchestrator', all), plain);
  assert.deepEqual(environmentOf('correlator', all), plain);
  assert.deepEqual(environmentOf('projector', all), { ...plain, ...database });
});

test('every service that is started has its environment chosen', () => {
  for (const { name, environment } of servicesFor(countsOf({ worker: 2 }))) {
    assert.equal(environment?.(all)['ANTHROPIC_API_KEY'] !== undefined, name.startsWith('worker'), name);
    assert.equal(environment?.(all)['DATABASE_URL'] !== undefined, name === 'projector', name);
  }
});
