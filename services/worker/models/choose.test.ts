import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadRoles, parseRole, type Role } from '#roles/load.ts';
import { temperatureOf } from '#roles/model-front-matter.ts';
import { chooseModel, type Wanted } from './choose.ts';
import { openModels } from './open-models.ts';

const warnings: string[] = [];
const log = { info() {}, warn: (said: unknown) => void warnings.push(String(said)) };
const keys = { ANTHROPIC_API_KEY: 'a-key', OPENAI_API_KEY: 'o-key' };

const role = (front: string): Role =>
  parseRole(`---\nname: r\ndescription: d\n${front}---\nDo it.\n`, 'r.md');
const own = role(`model:
  provider: anthropic
  name: claude-sonnet-5-5
  fallback: [{ provider: openai, name: gpt-6-sol }, { provider: ollama, name: llama3.1 }]
  cheaper: { provider: anthropic, name: claude-haiku-5-5 }
`);
const none = role('');

function chosen(wanted: Partial<Wanted>, env: NodeJS.ProcessEnv = keys): string {
  const model = chooseModel({ script: null, role: own, override: '', ...wanted }, openModels(env, log));
  return `${model.provider}/${model.model}`;
}

describe('the model of a task', () => {
  test('a script comes before all else', () => {
    const script = { calls: [], answer: 'x' };
    assert.equal(chosen({ script, override: 'ollama/x', cheaper: true }), 'scripted/script');
  });

  for (const [what, wanted, env, expected] of [
    ['the role', {}, keys, 'anthropic/claude-sonnet-5-5'],
    ['the environment', {}, { ...keys, RAVENHELM_MODEL: 'openai/gpt-4.1' }, 'openai/gpt-4.1'],
    [
      'the environment for this role',
      {},
      { RAVENHELM_MODEL: 'openai/x', RAVENHELM_MODEL_R: 'ollama/library/y:8b' },
      'ollama/library/y:8b',
    ],
    ['the mission', { override: 'ollama/qwen3' }, { RAVENHELM_MODEL_R: 'openai/x' }, 'ollama/qwen3'],
    ['the cheaper one', { cheaper: true, override: 'ollama/qwen3' }, keys, 'anthropic/claude-haiku-5-5'],
    [
      'no cheaper one: as usual',
      { cheaper: true, role: none, override: 'ollama/qwen3' },
      keys,
      'ollama/qwen3',
    ],
    ['a chain in the environment', {}, { RAVENHELM_MODEL: 'openai/a, ollama/b' }, 'ollama/b'],
  ] as const) {
    test(`${what}: ${expected}`, () => {
      assert.equal(chosen(wanted, env), expected);
    });
  }

  test('one model alone is no chain; who names one gets no other', () => {
    const models = openModels(keys, log);
    const model = chooseModel({ script: null, role: own, override: 'ollama/llama3.1' }, models);
    assert.equal(model, models.model({ provider: 'ollama', name: 'llama3.1' }), 'and it is made once');
    assert.equal(model.paid, false);
    assert.equal(chooseModel({ script: null, role: own, override: '' }, models).paid, true);
  });

  test('a provider without a key is left out, and that is said once', () => {
    warnings.length = 0;
    const models = openModels({ ANTHROPIC_API_KEY: '' }, log);
    for (let tasks = 0; tasks < 3; tasks++) {
      const model = chooseModel({ script: null, role: own, override: '' }, models);
      assert.deepEqual([model.provider, model.paid, model.price?.output], ['ollama', false, 0]);
    }
    assert.deepEqual(warnings, [
      'role r is served without anthropic/claude-sonnet-5-5: ANTHROPIC_API_KEY is not set; ' +
        'openai/gpt-6-sol: OPENAI_API_KEY is not set',
    ]);
  });

  test('no key at all: key_missing, with the name of the variable', () => {
    assert.throws(() => chosen({ override: 'anthropic/claude-haiku-5-5' }, {}), {
      code: 'key_missing',
      message: /anthropic\/claude-haiku-5-5: ANTHROPIC_API_KEY is not set/,
    });
  });

  test('no model at all: model_not_configured, with what to do', () => {
    assert.throws(() => chosen({ role: none }), {
      code: 'model_not_configured',
      message: /Set `script` in the task, or `model: .* in roles\/r\.md, or RAVENHELM_MODEL=provider\/name/,
    });
  });

  for (const text of ['claude', 'gemini/pro', 'ollama/', '/x']) {
    test(`${JSON.stringify(text)} is no model`, () => {
      assert.throws(() => chosen({ override: text }), {
        code: 'invalid_configuration',
        message: /expected provider\/name/,
      });
      assert.throws(() => chosen({}, { RAVENHELM_MODEL_R: text }), { message: /^RAVENHELM_MODEL_R: found/ });
    });
  }

  test('settings that make no sense are refused, all at once', () => {
    const env = { RAVENHELM_MODEL_CONCURRENCY: '0', RAVENHELM_MODEL_STREAM: 'maybe', OPENAI_BASE_URL: 'x' };
    assert.throws(
      () => openModels(env, log),
      (error) => {
        assert.ok(error instanceof Error && 'code' in error && error.code === 'invalid_configuration');
        for (const name of Object.keys(env)) assert.match(error.message, new RegExp(`^  ${name}: `, 'm'));
        return true;
      },
    );
    assert.ok(openModels({ OPENAI_BASE_URL: '', RAVENHELM_MODEL_TIMEOUT_MS: '' }, log));
  });
});

describe('the front matter of a role', () => {
  test('a temperature for each tier, falling, unless the role has its own', () => {
    const temperatures = ['worker', 'synthesizer', 'executive', 'planner'].map((tier) =>
      temperatureOf(role(`tier: ${tier}\n`)),
    );
    assert.deepEqual(temperatures, [0.7, 0.4, 0.2, 0.2]);
    assert.equal(temperatureOf(none), 0.7);
    assert.equal(temperatureOf(role('model: { provider: ollama, name: x, temperature: 1 }\n')), 1);
  });

  test('the orchestrator plans on Claude, all others work on Ollama with Haiku behind it', () => {
    for (const each of loadRoles().values()) {
      const planner = each.name === 'orchestrator';
      const tiers: Readonly<Record<string, string>> = {
        orchestrator: 'planner',
        drummer: 'synthesizer',
        camina: 'executive',
      };
      assert.equal(each.tier, tiers[each.name] ?? 'worker');
      assert.equal(each.model?.provider, planner ? 'anthropic' : 'ollama');
      assert.deepEqual(
        each.model.fallback.map(({ provider }) => provider),
        planner ? ['openai', 'ollama'] : ['anthropic'],
      );
    }
  });

  test('what is wrong is said with its line', () => {
    assert.throws(() => role('model: { provider: gemini, name: x }\n'), {
      message: /^r\.md:4: model\.provider: /,
    });
    assert.throws(() => role('tier: king\n'), { message: /^r\.md:4: tier: / });
  });
});
