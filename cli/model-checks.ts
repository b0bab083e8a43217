import { openModels, providerNames } from '#worker/models/open-models.ts';
import type { Invocation } from './invocation.ts';
import type { Check, Finding } from './machine-checks.ts';

/** Ollama runs beside us, or it does not. */
const answersWithinMs = 1_000;
const defaultHost = 'http://127.0.0.1:11434';

const quiet = { info: () => undefined, warn: () => undefined };

/** Which models could be asked. All are optional: scripts need none. No check calls a model or shows a key. */
export function modelChecks({ env, signal }: Invocation): Check[] {
  return [
    ...providerNames
      .filter((name) => name !== 'ollama')
      .map((name): Check => {
        const key = `${name.toUpperCase()}_API_KEY`;
        return {
          name,
          advice: `Set ${key} before \`ravenhelm up\`, or do without.`,
          run: () => Promise.resolve(keyFinding(key, env)),
        };
      }),
    {
      name: 'ollama',
      advice: 'Start it (`ollama serve`), or set OLLAMA_HOST; only roles whose model is there need it.',
      run: () => ollamaFinding(env, signal),
    },
    {
      name: 'models',
      advice: 'The variables are in docs/operations.md.',
      run: () => Promise.resolve(settingsFinding(env)),
    },
  ];
}

/** A key that is there says nothing of whether it is good: asking would cost money. */
function keyFinding(key: string, env: NodeJS.ProcessEnv): Finding {
  if ((env[key] ?? '') !== '') return { level: 'ok', found: `${key} is set` };
  const advice = `Its models are left out of the chain of a role. Set ${key} before \`ravenhelm up\` to have them.`;
  return { level: 'warn', found: `optional: ${key} is not set`, advice };
}

async function ollamaFinding(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Finding> {
  const host = env['OLLAMA_HOST'] || defaultHost;
  const advice = 'Start it (`ollama serve`), or set OLLAMA_HOST, where a role shall think with it.';
  const late = AbortSignal.timeout(answersWithinMs);
  const within = AbortSignal.any([signal, late]);
  try {
    const { Ollama } = await import('ollama');
    const client = new Ollama({ host, fetch: (url, init) => fetch(url, { ...init, signal: within }) });
    const { models } = await client.list();
    if (models.length === 0) {
      return {
        level: 'warn',
        found: `answers at ${shown(host)}, and has no model`,
        advice: '`ollama pull llama3.1`',
      };
    }
    const names = models.map(({ name }) => name);
    const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
    return { level: 'ok', found: `answers at ${shown(host)}: ${names.slice(0, 5).join(', ')}${more}` };
  } catch {
    signal.throwIfAborted();
    const after = late.aborted ? ` within ${answersWithinMs / 1000} s` : '';
    return { level: 'warn', found: `optional: no answer at ${shown(host)}${after}`, advice };
  }
}

/** Without user and password, which may stand in an address. */
function shown(host: string): string {
  return host.replace(/^([a-z]+:\/\/)?[^/@]*@/i, '$1');
}

/** What a worker would stumble over when it starts. */
function settingsFinding(env: NodeJS.ProcessEnv): Finding {
  const models = openModels(env, quiet);
  const ofRoles = Object.keys(env).filter(
    (name) => /^RAVENHELM_MODEL_[A-Z]/.test(name) && !settings.has(name) && (env[name] ?? '').trim() !== '',
  );
  const all = models.configured('');
  for (const name of ofRoles) models.configured(name.slice('RAVENHELM_MODEL_'.length));
  const said = [
    ...(all.length > 0
      ? [`RAVENHELM_MODEL=${all.map(({ provider, name }) => `${provider}/${name}`).join(',')}`]
      : []),
    ...ofRoles.toSorted().map((name) => `${name}=${env[name]}`),
  ];
  return { level: 'ok', found: said.length > 0 ? said.join(' ') : 'as the roles say' };
}

const settings: ReadonlySet<string> = new Set([
  ...['RAVENHELM_MODEL_CONCURRENCY', 'RAVENHELM_MODEL_TIMEOUT_MS', 'RAVENHELM_MODEL_STREAM'],
]);
