import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { logFile } from './logs.ts';
import { type Command, plainEnvironment } from './processes.ts';

/** Where Apicurio has the API of Confluent's registry. */
export const confluentPath = '/apis/ccompat/v7';

const front = fileURLToPath(new URL('./registry-front.ts', import.meta.url));

export interface RegistryOptions {
  dir: string;
  java: string;
  jar: string;
  ports: { apicurio: number; registry: number };
  /** `host:port` each. */
  brokers: string[];
  env: NodeJS.ProcessEnv;
}

/** The registry itself. What it holds is in Kafka, so its data are Kafka's. */
export function apicurioCommand(o: RegistryOptions): Command {
  return {
    name: 'apicurio',
    file: o.java,
    args: [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Djava.awt.headless=true',
      '-Djava.util.logging.manager=org.jboss.logmanager.LogManager',
      '-jar',
      o.jar,
    ],
    inherited: plainEnvironment(o.env),
    env: {
      APICURIO_STORAGE_KIND: 'kafkasql',
      APICURIO_KAFKASQL_BOOTSTRAP_SERVERS: o.brokers.join(','),
      // It waits this long for a snapshot that is not there: the default is 5 s of each start.
      APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT: '100',
      QUARKUS_HTTP_HOST: '127.0.0.1',
      QUARKUS_HTTP_PORT: String(o.ports.apicurio),
      QUARKUS_HTTP_ACCESS_LOG_ENABLED: 'false',
      QUARKUS_LOG_LEVEL: 'WARN',
      QUARKUS_BANNER_ENABLED: 'false',
    },
    cwd: dirname(o.jar),
    log: logFile(o.dir, 'apicurio'),
    account: null,
  };
}

/** What stands at the registry's URL. */
export function frontCommand(o: RegistryOptions): Command {
  return {
    name: 'registry',
    file: process.execPath,
    args: [front, String(o.ports.registry), `http://127.0.0.1:${o.ports.apicurio}${confluentPath}`],
    inherited: plainEnvironment(o.env),
    env: {},
    cwd: o.dir,
    log: logFile(o.dir, 'registry'),
    account: null,
  };
}

/**
 * Sets the compatibility that holds where a subject has none of its own to BACKWARD, as it is in Redpanda's and
 * Confluent's registry; Apicurio's own is NONE.
 */
export async function setGlobalCompatibility(registry: string, signal: AbortSignal): Promise<void> {
  const url = `${registry}/config`;
  const found = (await (await fetch(url, { signal })).json()) as { compatibilityLevel?: string };
  if (found.compatibilityLevel !== 'NONE') return;
  const response = await fetch(url, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ compatibility: 'BACKWARD' }),
    signal,
  });
  if (!response.ok) throw new Error(`PUT ${url} answered ${response.status}: ${await response.text()}`);
}
