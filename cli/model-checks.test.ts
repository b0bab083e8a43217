import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { modelChecks } from './model-checks.ts';

/** Findings by the names of the checks. */
async function findings(env: NodeJS.ProcessEnv) {
  const signal = new AbortController().signal;
  const checks = modelChecks({ env, signal } as Parameters<typeof modelChecks>[0]);
  const found = await Promise.all(checks.map(async (check) => [check.name, await check.run()] as const));
  return Object.fromEntries(found);
}

async function ollamaWith(t: TestContext, models: readonly string[]): Promise<string> {
  const body = JSON.stringify({ models: models.map((name) => ({ name, model: name })) });
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(body);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Nobody listens on it. */
const nowhere = 'http://127.0.0.1:1';

describe('model providers, as doctor sees them', () => {
  it('are optional, and a key is never shown', async () => {
    const key = 'sk-ant-REDACTED-0123456789';
    const found = await findings({ ANTHROPIC_API_KEY: key, OLLAMA_HOST: nowhere });
    assert.deepEqual(
      Object.entries(found).map(([name, { level }]) => `${name} ${level}`),
      ['anthropic ok', 'openai warn', 'ollama warn', 'models ok'],
    );
    assert.equal(JSON.stringify(found).includes(key), false);
    assert.match(found['openai']?.found ?? '', /^optional: OPENAI_API_KEY is not set$/);
    assert.match(found['ollama']?.found ?? '', /^optional: no answer at http:\/\/127\.0\.0\.1:1$/);
  });

  it('say which models Ollama has, or that it has none', async (t) => {
    const host = await ollamaWith(t, ['llama3.1:latest']);
    const some = await findings({ OLLAMA_HOST: host });
    assert.deepEqual(some['ollama'], { level: 'ok', found: `answers at ${host}: llama3.1:latest` });
    const none = await findings({ OLLAMA_HOST: await ollamaWith(t, []) });
    assert.equal(none['ollama']?.level, 'warn');
    const { ollama } = await findings({ OLLAMA_HOST: nowhere.replace('://', '://me:secret@') });
    assert.match(ollama?.found ?? '', /no answer at http:\/\/127\.0\.0\.1:1$/);
    assert.match(none['ollama']?.advice ?? '', /ollama pull/);
  });

  it('say which models the environment names, and throw for what is none', async () => {
    const env = { RAVENHELM_MODEL: 'ollama/a', RAVENHELM_MODEL_DRUMMER: 'openai/b', OLLAMA_HOST: nowhere };
    const { models } = await findings({ ...env, RAVENHELM_MODEL_STREAM: 'true' });
    assert.equal(models?.found, 'RAVENHELM_MODEL=ollama/a RAVENHELM_MODEL_DRUMMER=openai/b');
    await assert.rejects(
      findings({ ...env, RAVENHELM_MODEL_DRUMMER: 'x' }),
      /RAVENHELM_MODEL_DRUMMER: found "x"/,
    );
  });
});
