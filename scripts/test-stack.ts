/**
 * What integration tests run against: Redpanda and PostgreSQL in throwaway containers where there is a container
 * engine, else the same local stack that `ravenhelm up` starts without one.
 */
import { resolve } from 'node:path';
import { PostgreSqlContainer } from '@testcontainers/postgresql';
import { RedpandaContainer } from '@testcontainers/redpanda';
import { getContainerRuntimeClient } from 'testcontainers';
import { down, up } from '#local/stack.ts';

/** The images of docker-compose.yml. */
const images = { redpanda: 'redpandadata/redpanda:v26.2.3', postgres: 'postgres:18' };

const home = resolve(import.meta.dirname, '../.ravenhelm');

export interface TestStack {
  /** KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL. */
  readonly env: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

export async function startTestStack(signal: AbortSignal): Promise<TestStack> {
  const given = process.env['KAFKA_BROKERS'] !== undefined;
  return !given && (await hasContainerEngine()) ? inContainers() : onThisMachine(signal);
}

async function hasContainerEngine(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

async function inContainers(): Promise<TestStack> {
  const [redpanda, postgres] = await Promise.all([
    new RedpandaContainer(images.redpanda).start(),
    new PostgreSqlContainer(images.postgres).start(),
  ]);
  return {
    env: {
      KAFKA_BROKERS: redpanda.getBootstrapServers(),
      SCHEMA_REGISTRY_URL: redpanda.getSchemaRegistryAddress(),
      DATABASE_URL: postgres.getConnectionUri(),
    },
    stop: async () => void (await Promise.all([redpanda.stop(), postgres.stop()])),
  };
}

async function onThisMachine(signal: AbortSignal): Promise<TestStack> {
  const dir = resolve(home, 'test');
  const { kind, brokers, registry, database } = await up({
    dir,
    jars: resolve(home, 'jars'),
    ports: 'free',
    kind: 'jvm',
    signal,
    progress: ({ step, state, note }) => {
      if (state !== 'progress')
        process.stderr.write(`stack: ${step} ${state}${note === undefined ? '' : `, ${note}`}\n`);
    },
  });
  return {
    env: { KAFKA_BROKERS: brokers.join(','), SCHEMA_REGISTRY_URL: registry, DATABASE_URL: database },
    async stop() {
      if (kind !== 'given') await down({ dir, volumes: true, signal: AbortSignal.timeout(60_000) });
    },
  };
}
