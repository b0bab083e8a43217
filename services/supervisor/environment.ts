/** What of an environment each service is given: a secret reaches only who needs it. */
import { looksSecret, secretsOf } from '#chassis/secret-names.ts';
import type { ServiceKind } from './services.ts';

/** How the brokers, the registry and the collector are reached; every service does. */
const ofAll = /^(?:KAFKA|SCHEMA_REGISTRY|OTEL|RAVENHELM)_/;
const ofDatabase = /^(?:DATABASE_URL$|PG[A-Z])/;
const ofProviders = /^(?:ANTHROPIC|OPENAI|OLLAMA)_/;

/**
 * Agents need the keys of providers and of MCP servers, so a worker keeps whatever is set, but for the database. No
 * other service runs agents: it is given no provider and nothing that looks like a secret, but for what it connects by.
 */
export function environmentOf(kind: ServiceKind, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name, value]) => {
    if (ofAll.test(name)) return true;
    if (ofDatabase.test(name)) return kind === 'projector';
    if (kind === 'worker') return true;
    return !ofProviders.test(name) && !looksSecret(name) && secretsOf({ [name]: value }).length === 0;
  });
  return Object.fromEntries(kept);
}
