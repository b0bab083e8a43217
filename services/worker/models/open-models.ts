/**
 * The model providers of this process: settings and keys from the environment, which nothing else reads, and for each
 * provider one client and one gate, made when it is first used.
 */
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import { factsOf, type ProviderName, priceFile } from './capabilities.ts';
import type { Model } from './model.ts';
import type { Provider, ProviderSettings } from './provider.ts';
import { type GateSettings, gateDefaults, ProviderGate } from './provider-gate.ts';
import { providerModel } from './provider-model.ts';

export const providerNames = ['anthropic', 'openai', 'ollama'] as const satisfies readonly ProviderName[];

export interface ModelRef {
  readonly provider: ProviderName;
  readonly name: string;
}

export interface Models {
  /** The model of this name; each is made once. Throws `key_missing`. */
  model(ref: ModelRef): Model;
  /** Why the provider cannot be asked, and what to do; null when it can. */
  missing(provider: ProviderName): string | null;
  /** What the environment says for a role; empty when it says nothing. Throws `invalid_configuration`. */
  configured(role: string): readonly ModelRef[];
  /** Says something in the log, once for this process. */
  say(what: string): void;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

const url = z.url({ protocol: /^https?$/ });
const emptyIsUnset = (value: unknown): unknown => (value === '' ? undefined : value);
const optional = <T extends z.ZodType>(type: T) => z.preprocess(emptyIsUnset, type);

const Environment = z.object({
  ANTHROPIC_API_KEY: z.string().default(''),
  ANTHROPIC_BASE_URL: optional(url.default('https://api.anthropic.com')),
  OPENAI_API_KEY: z.string().default(''),
  OPENAI_BASE_URL: optional(url.default('https://api.openai.com/v1')),
  // As Ollama's own tools take it: an address, host:port or :port.
  OLLAMA_HOST: optional(z.string().default('http://127.0.0.1:11434')),
  RAVENHELM_MODEL: z.string().default(''),
  RAVENHELM_MODEL_CONCURRENCY: optional(
    z.coerce.number().int().min(1).max(10_000).default(gateDefaults.concurrency),
  ),
  RAVENHELM_MODEL_TIMEOUT_MS: optional(
    z.coerce.number().int().min(1).max(86_400_000).default(gateDefaults.timeoutMs),
  ),
  RAVENHELM_MODEL_STREAM: optional(z.stringbool().default(true)),
});

/** The prefix of variables that name the model of one role. */
const OF_ROLE = 'RAVENHELM_MODEL_';

/** Reads the settings; nobody is called yet. `gate` replaces defaults that are no setting. Throws `invalid_configuration`. */
export function openModels(
  env: NodeJS.ProcessEnv,
  log: Pick<Logger, 'info' | 'warn'>,
  gate: Partial<GateSettings> = {},
): Models {
  const read = Environment.safeParse(env);
  if (!read.success) {
    const lines = read.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`);
    throw new Failure('invalid_configuration', `The environment is not valid:\n${lines.join('\n')}`);
  }
  priceFile();
  const settings = read.data;
  const providers = new Map<ProviderName, { provider: Provider; gate: ProviderGate }>();
  const models = new Map<string, Model>();
  const said = new Set<string>();

  const open = (name: ProviderName) => {
    let found = providers.get(name);
    if (found === undefined) {
      const limits = {
        ...gateDefaults,
        concurrency: settings.RAVENHELM_MODEL_CONCURRENCY,
        timeoutMs: settings.RAVENHELM_MODEL_TIMEOUT_MS,
        ...gate,
      };
      found = { provider: lazily(name, reached(name)), gate: new ProviderGate(name, limits, log) };
      providers.set(name, found);
    }
    return found;
  };

  const reached = (name: ProviderName): ProviderSettings => {
    const shared = {
      timeoutMs: settings.RAVENHELM_MODEL_TIMEOUT_MS,
      stream: settings.RAVENHELM_MODEL_STREAM,
    };
    switch (name) {
      case 'anthropic':
        return { ...shared, baseUrl: settings.ANTHROPIC_BASE_URL, key: settings.ANTHROPIC_API_KEY };
      case 'openai':
        return { ...shared, baseUrl: settings.OPENAI_BASE_URL, key: settings.OPENAI_API_KEY };
      case 'ollama':
        return { ...shared, baseUrl: settings.OLLAMA_HOST, key: '' };
    }
  };

  const missing = (name: ProviderName): string | null => {
    if (name === 'ollama' || reached(name).key !== '') return null;
    return `${name.toUpperCase()}_API_KEY is not set`;
  };

  return {
    log,
    missing,
    model({ provider: name, name: model }) {
      const key = `${name}/${model}`;
      let found = models.get(key);
      if (found === undefined) {
        const why = missing(name);
        if (why !== null) {
          const message = `${key}: ${why}. Set it in the worker's environment, or name another model`;
          throw new Failure('key_missing', message);
        }
        const { provider, gate: itsGate } = open(name);
        found = providerModel({ provider, model, facts: factsOf(name, model), gate: itsGate });
        models.set(key, found);
      }
      return found;
    },
    configured(role) {
      const ofRole = `${OF_ROLE}${role.toUpperCase()}`;
      const its = env[ofRole] ?? '';
      return its.trim() === ''
        ? parseRefs(settings.RAVENHELM_MODEL, 'RAVENHELM_MODEL')
        : parseRefs(its, ofRole);
    },
    say(what) {
      if (said.has(what)) return;
      said.add(what);
      log.warn(what);
    },
  };
}

/** `provider/name`, or several with commas; empty for ''. A name may hold slashes. Throws `invalid_configuration`. */
export function parseRefs(text: string, where: string): readonly ModelRef[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => {
      const slash = each.indexOf('/');
      const provider = providerNames.find((name) => name === each.slice(0, slash));
      const name = each.slice(slash + 1);
      if (provider === undefined || name === '') {
        throw new Failure(
          'invalid_configuration',
          `${where}: found ${JSON.stringify(each)}, expected provider/name with one of ${providerNames.join(', ')}`,
        );
      }
      return { provider, name };
    });
}

/** The clients are large: each is loaded when it is first asked. */
function lazily(name: ProviderName, settings: ProviderSettings): Provider {
  let loading: Promise<Provider> | null = null;
  return {
    name,
    async ask(call, signal, onText) {
      loading ??= load(name, settings);
      return (await loading).ask(call, signal, onText);
    },
  };
}

async function load(name: ProviderName, settings: ProviderSettings): Promise<Provider> {
  switch (name) {
    case 'anthropic':
      return (await import('./anthropic.ts')).anthropic(settings);
    case 'openai':
      return (await import('./openai.ts')).openai(settings);
    case 'ollama':
      return (await import('./ollama.ts')).ollama(settings);
  }
}
