import { join, resolve } from 'node:path';
import { Failure } from '#chassis/failures.ts';
import type { StackAddress } from '#local/address.ts';

/** Where this project is on the machine, and which namespace it works in. */
export interface Place {
  /** The folder of package.json. */
  readonly root: string;
  /** Data, logs and state of what `up` started: `.ravenhelm` in the root, or RAVENHELM_HOME. */
  readonly home: string;
  readonly prefix: string;
}

const root = resolve(import.meta.dirname, '..');
const prefixShape = /^[a-z0-9][a-z0-9._-]{0,60}$/;

/** Throws `invalid_configuration`. */
export function placeOf(env: NodeJS.ProcessEnv): Place {
  const prefix = env['RAVENHELM_PREFIX'] || 'ravenhelm';
  if (!prefixShape.test(prefix)) {
    const expected = 'expected lower-case letters, digits, dot, dash or underscore';
    throw new Failure(
      'invalid_configuration',
      `RAVENHELM_PREFIX: found ${JSON.stringify(prefix)}, ${expected}`,
    );
  }
  return { root, home: resolve(env['RAVENHELM_HOME'] || join(root, '.ravenhelm')), prefix };
}

/** Where Kafka, the registry and PostgreSQL are: as the environment says, else as `up` wrote it down. */
export async function findAddress(place: Place, env: NodeJS.ProcessEnv): Promise<StackAddress> {
  const { whereIs } = await import('#local/stack.ts');
  const address = await whereIs({ dir: place.home, env });
  if (address !== null) return address;
  throw new Failure(
    'services_not_running',
    'nothing runs here, and KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL are not set',
  );
}

/** What a service has to find in its environment. */
export function serviceEnvironment(
  place: Place,
  address: StackAddress,
  env: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  return {
    ...env,
    KAFKA_BROKERS: address.brokers.join(','),
    SCHEMA_REGISTRY_URL: address.registry,
    DATABASE_URL: address.database,
    RAVENHELM_PREFIX: place.prefix,
    ...(env['RAVENHELM_RETRY_POLICY']
      ? { RAVENHELM_RETRY_POLICY: resolve(env['RAVENHELM_RETRY_POLICY']) }
      : {}),
    // Services run in the project's folder: what is meant from ours has to be said in full.
    RAVENHELM_WORKSPACES: resolve(env['RAVENHELM_WORKSPACES'] || join(place.home, 'workspaces')),
    ...(env['RAVENHELM_ROLES'] ? { RAVENHELM_ROLES: resolve(env['RAVENHELM_ROLES']) } : {}),
  };
}
