/** What the tests of the adapters share: a fake of each provider, and the real clients pointed at them. */
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '#chassis/log.ts';
import type { ProviderName } from './capabilities.ts';
import { type Fake, type FakeOptions, startFake } from './fakes/fake.ts';
import type { ModelRequest, Turn } from './model.ts';
import { type Models, openModels } from './open-models.ts';
import type { GateSettings } from './provider-gate.ts';

export const names = { anthropic: 'claude-sonnet-5-5', openai: 'gpt-5.6-terra', ollama: 'llama3.1' } as const;
export const providers = Object.keys(names) as ProviderName[];
export const never = new AbortController().signal;
const log: Pick<Logger, 'info' | 'warn'> = { info() {}, warn() {} };
export const KEY = 'sk-fake-0123456789abcdef';

export let fakes: Readonly<Record<ProviderName, Fake>>;
let answer: FakeOptions['answer'];
/** What the models answer in the test that runs; `hello` unless it says so. */
export function answering(by: FakeOptions['answer']): void {
  answer = by;
}
const hello = (): void => answering(() => ({ text: 'hello' }));

before(async () => {
  hello();
  const start = (provider: ProviderName): Promise<Fake> =>
    startFake(provider, { key: KEY, answer: (request, signal) => answer(request, signal) });
  fakes = {
    anthropic: await start('anthropic'),
    openai: await start('openai'),
    ollama: await start('ollama'),
  };
});
after(() => Promise.all(Object.values(fakes).map((fake) => fake.close())));
afterEach(async () => {
  hello();
  await sleep(1);
  for (const fake of Object.values(fakes))
    assert.equal(fake.inAir, 0, `${fake.provider}: nothing is left in the air`);
});

export function open(gate: Partial<GateSettings> = {}, env: NodeJS.ProcessEnv = {}): Models {
  const given = {
    ANTHROPIC_API_KEY: KEY,
    ANTHROPIC_BASE_URL: fakes.anthropic.url,
    OPENAI_API_KEY: KEY,
    OPENAI_BASE_URL: fakes.openai.url,
    OLLAMA_HOST: fakes.ollama.url,
    ...env,
  };
  return openModels(given, log, { firstDelayMs: 1, longestDelayMs: 2, ...gate });
}

export const stream = (on: boolean): NodeJS.ProcessEnv => ({ RAVENHELM_MODEL_STREAM: String(on) });
export const once = { tries: 1, outagesToOpen: 1000 };
export const tool = (name: string) => ({
  name,
  description: `The tool ${name}.`,
  parameters: { type: 'object', properties: { path: { type: 'string' } }, additionalProperties: false },
});
export const user = (text: string): Turn => ({ role: 'user', text });
export const asked = (changes: Partial<ModelRequest> = {}): ModelRequest => ({
  system: 'You are a test.',
  messages: [user('Hi.')],
  tools: [],
  answer: null,
  temperature: 0.4,
  maxOutputTokens: 1000,
  payOnce: false,
  ...changes,
});
export const lastCall = (fake: Fake) => {
  const call = fake.calls.at(-1);
  assert.ok(call);
  return call;
};
