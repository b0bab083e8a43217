import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelSettings } from './control.ts';

test('services start again with other models or keys, and for nothing else', () => {
  const key = 'sk-ant-0123456789';
  const env = { PATH: '/bin', ANTHROPIC_API_KEY: key, RAVENHELM_MODEL_DRUMMER: 'ollama/llama3.1' };
  const before = modelSettings(env);
  assert.equal(modelSettings({ ...env, PATH: '/usr/bin', RAVENHELM_MODELS: 'x' }), before);
  assert.equal(modelSettings({ RAVENHELM_MODEL_DRUMMER: 'ollama/llama3.1', ANTHROPIC_API_KEY: key }), before);
  for (const [name, value] of Object.entries({
    ...{ ANTHROPIC_API_KEY: 'sk-ant-another', OPENAI_API_KEY: 'sk-1', OLLAMA_HOST: 'http://there:11434' },
    ...{ RAVENHELM_MODEL: 'openai/x', RAVENHELM_MODEL_DRUMMER: '', RAVENHELM_MODEL_CONCURRENCY: '2' },
    ...{ ANTHROPIC_BASE_URL: 'http://here', OPENAI_BASE_URL: 'http://here' },
  })) {
    assert.notEqual(modelSettings({ ...env, [name]: value }), before, name);
  }
  assert.equal(before.includes(key), false);
  assert.equal(modelSettings({ PATH: '/bin', OLLAMA_HOST: '' }), '');
});
