/** Fakes of the providers' HTTP APIs for real workers, what the workers ask them, and what they charge. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  type Fake,
  type FakeAnswer,
  type FakeRequest,
  type FakeToolCall,
  type Fault,
  type Provider,
  startFake,
} from '#worker/models/fakes/fake.ts';
import prices from '#worker/models/prices.json' with { type: 'json' };

/** What a fake model answers to what it is asked. */
export type Mind = (asked: Asked, signal: AbortSignal) => FakeAnswer | Fault | Promise<FakeAnswer | Fault>;

export interface Minds {
  readonly fakes: Readonly<Record<Provider, Fake>>;
  /** For the workers: where the fakes are, and their keys. */
  readonly env: NodeJS.ProcessEnv;
  /** Nano-dollars that all providers have charged so far. */
  charged(): number;
}

/** What roles fall back to is newer than the client's own types, and like its neighbours there. */
const newGpt = {
  context: 1_050_000,
  maxOutput: 128_000,
  temperature: 'default',
  thinking: 'adaptive',
  toolsWithoutReasoning: 'said',
} as const;

const nobody: Mind = ({ task }) => assert.fail(`nobody should be asked, and task ${task} does`);

export async function startMinds(t: TestContext, minds: Partial<Record<Provider, Mind>>): Promise<Minds> {
  const start = (provider: Provider) =>
    startFake(provider, {
      answer: (request, signal) => (minds[provider] ?? nobody)(askedOf(request), signal),
      models: provider === 'openai' ? { 'gpt-6-sol': newGpt } : {},
    });
  const [anthropic, openai, ollama] = await Promise.all([
    start('anthropic'),
    start('openai'),
    start('ollama'),
  ]);
  const fakes = { anthropic, openai, ollama };
  t.after(() => Promise.all(Object.values(fakes).map((fake) => fake.close())));
  return {
    fakes,
    env: {
      ANTHROPIC_BASE_URL: anthropic.url,
      ANTHROPIC_API_KEY: 'fake-key',
      OPENAI_BASE_URL: openai.url,
      OPENAI_API_KEY: 'fake-key',
      OLLAMA_HOST: ollama.url,
      RAVENHELM_MODEL_TIMEOUT_MS: '20000',
    },
    charged: () => Object.values(fakes).reduce((sum, fake) => sum + chargedBy(fake), 0),
  };
}

/** What a model sees of the task that it works on. */
export interface Asked {
  readonly request: FakeRequest;
  readonly task: string;
  /** The task as the agent was told it. */
  readonly told: string;
  /** The tasks that it needs, as they are quoted to it. */
  readonly needs: readonly { readonly id: string; readonly status: string; readonly result: string }[];
  /** Results of its tool calls so far, the oldest first. */
  readonly results: readonly string[];
  /** What it was told last: the task, a tool's result, or what was wrong with its answer. */
  readonly last: string;
}

const quotes = /⟦data (\w+) from task (\S+) of \S+, (\w+)⟧\n([^⟦⟧]*)\n⟦end \1⟧/g;

export function askedOf(request: FakeRequest): Asked {
  const { messages } = request;
  const told = messages[0]?.text ?? '';
  return {
    request,
    told,
    task: /^Task (\S+):\n/.exec(told)?.[1] ?? '',
    needs: [...told.matchAll(quotes)].map(([, , id = '', status = '', result = '']) => ({
      id,
      status,
      result,
    })),
    results: messages.flatMap((turn) => (turn.role === 'tool' ? [turn.text] : [])),
    last: messages.at(-1)?.text ?? '',
  };
}

export const calls = (...toolCalls: readonly FakeToolCall[]): FakeAnswer => ({ toolCalls });
export const says = (text: string): FakeAnswer => ({ text });

export interface Planned {
  readonly id: string;
  readonly role: string;
  readonly description: string;
  readonly needs?: readonly string[];
}
export const plans = (...tasks: readonly Planned[]): FakeAnswer => says(JSON.stringify({ tasks }));

/** By the price list, and in no other arithmetic than this: all that a provider answered, it charges. */
export function chargedBy(fake: Fake): number {
  return fake.calls.reduce((sum, { usage, request }) => {
    if (usage === null) return sum;
    const price = priceOf(fake.provider, request.model);
    const plain = usage.input - usage.cacheRead - usage.cacheWrite;
    const micros =
      plain * price.input +
      usage.cacheRead * price.cache_read +
      usage.cacheWrite * price.cache_write +
      usage.output * price.output;
    return sum + Math.round(micros * 1000);
  }, 0);
}

function priceOf(provider: Provider, model: string) {
  const listed = prices.providers[provider].find(({ models }) => models.includes(model));
  if (listed?.price) return listed.price;
  assert.equal(provider, 'ollama', `a price of ${model}`);
  return { input: 0, output: 0, cache_read: 0, cache_write: 0 };
}
