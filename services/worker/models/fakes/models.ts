/**
 * The models that the fakes know, with what the providers document of them. Names are those of the clients' own
 * types; Ollama has what somebody pulled.
 */
export type Provider = 'anthropic' | 'openai' | 'ollama';

export interface FakeModel {
  /** Tokens of request and answer together. */
  readonly context: number;
  readonly maxOutput: number;
  readonly tools: boolean;
  /**
   * `any`: in the provider's range. `default`: only the value that is the default. `without_reasoning`: any, when
   * `reasoning_effort` is `none`.
   */
  readonly temperature: 'any' | 'default' | 'without_reasoning';
  /**
   * `none`: takes no thinking. `budget`: manual, with a budget. `both`: manual or adaptive. `adaptive`: not manual.
   * `always`: adaptive, and cannot be turned off.
   */
  readonly thinking: 'none' | 'budget' | 'both' | 'adaptive' | 'always';
  /** The fewest tokens that are cached (Anthropic). */
  readonly cacheFrom: number;
  /** A conversation may end with the beginning of the answer (Anthropic). */
  readonly prefill: boolean;
  /** Turns of the role `system` are taken amid a conversation (Anthropic). */
  readonly systemTurns: boolean;
  /** Tools only without reasoning (OpenAI's chat completions): `said`: it has to be turned off; `off`: unless asked for. */
  readonly toolsWithoutReasoning: 'said' | 'off' | null;
}

const base: FakeModel = {
  context: 200_000,
  maxOutput: 64_000,
  tools: true,
  temperature: 'any',
  thinking: 'none',
  cacheFrom: 1024,
  prefill: false,
  systemTurns: false,
  toolsWithoutReasoning: null,
};

const claude = (changes: Partial<FakeModel>): FakeModel => ({
  ...base,
  context: 1_000_000,
  maxOutput: 128_000,
  temperature: 'default',
  thinking: 'adaptive',
  systemTurns: true,
  ...changes,
});
const older = {
  context: 200_000,
  maxOutput: 64_000,
  temperature: 'any',
  prefill: true,
  systemTurns: false,
} as const;
const gpt = (changes: Partial<FakeModel>): FakeModel => ({
  ...base,
  context: 400_000,
  maxOutput: 128_000,
  temperature: 'without_reasoning',
  thinking: 'adaptive',
  ...changes,
});
const plainGpt = { temperature: 'any', thinking: 'none' } as const;
const llama = (changes: Partial<FakeModel>): FakeModel => ({
  ...base,
  context: 131_072,
  maxOutput: 131_072,
  ...changes,
});

export const knownModels: Readonly<Record<Provider, Readonly<Record<string, FakeModel>>>> = {
  anthropic: {
    'claude-opus-5-5': claude({ thinking: 'always' }),
    'claude-sonnet-5-5': claude({}),
    'claude-haiku-5-5': claude({ cacheFrom: 2048 }),
    'claude-sonnet-5': claude({ systemTurns: false }),
    'claude-opus-5': claude({}),
    'claude-sonnet-4-6': claude({ ...older, prefill: false, thinking: 'both', cacheFrom: 2048 }),
    'claude-sonnet-4-5': claude({ ...older, thinking: 'budget' }),
    'claude-haiku-4-5': claude({ ...older, thinking: 'budget', cacheFrom: 4096 }),
  },
  openai: {
    'gpt-6.1-sol': gpt({ context: 1_050_000, temperature: 'default', toolsWithoutReasoning: 'said' }),
    'gpt-6-luna': gpt({ temperature: 'default', toolsWithoutReasoning: 'said' }),
    'gpt-5.6-terra': gpt({ context: 1_050_000, temperature: 'default', toolsWithoutReasoning: 'said' }),
    'gpt-5.5': gpt({ context: 1_050_000, toolsWithoutReasoning: 'off' }),
    'gpt-5.4-mini': gpt({ toolsWithoutReasoning: 'off' }),
    'gpt-5-mini': gpt({ temperature: 'default' }),
    'gpt-4.1': gpt({ ...plainGpt, context: 1_047_576, maxOutput: 32_768 }),
    'gpt-4.1-mini': gpt({ ...plainGpt, context: 1_047_576, maxOutput: 32_768 }),
    'gpt-4o': gpt({ ...plainGpt, context: 128_000, maxOutput: 16_384 }),
    'gpt-4o-mini': gpt({ ...plainGpt, context: 128_000, maxOutput: 16_384 }),
  },
  ollama: {
    'llama3.1:latest': llama({}),
    'llama3.1:8b': llama({}),
    'llama3.2:latest': llama({}),
    'qwen3:latest': llama({ context: 40_960, thinking: 'adaptive' }),
    'gemma2:latest': llama({ context: 8192, tools: false }),
  },
};

/** The models of a provider with changes and additions; one that was not known is as a plain model. */
export function modelsOf(
  provider: Provider,
  changes: Readonly<Record<string, Partial<FakeModel>>>,
): ReadonlyMap<string, FakeModel> {
  const models = new Map(Object.entries(knownModels[provider]));
  for (const [name, change] of Object.entries(changes))
    models.set(name, { ...(models.get(name) ?? base), ...change });
  return models;
}
