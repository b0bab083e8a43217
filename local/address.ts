import { Failure } from '#chassis/failures.ts';
import { bootstrapOf } from './brokers.ts';
import { answersAsKafka } from './kafka-answer.ts';
import type { Report } from './progress.ts';
import { databaseProbe, registryProbe } from './ready.ts';
import type { StackState } from './state.ts';

/** Where everything is. `database` is secret: it may hold a password. */
export interface StackAddress {
  kind: 'given' | 'docker' | 'jvm';
  /** `host:port` each. */
  brokers: string[];
  /** A URL that has the API of Confluent's registry at its root; no slash at its end. */
  registry: string;
  database: string;
  /** Redpanda Console; only Docker has it. */
  console: string | null;
}

/**
 * The address that the environment gives with KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL; null when none is
 * set. Throws `stack_incomplete_address` when only some are.
 */
export function givenAddress(env: NodeJS.ProcessEnv): StackAddress | null {
  const { KAFKA_BROKERS = '', SCHEMA_REGISTRY_URL = '', DATABASE_URL = '' } = env;
  const given = Object.entries({ KAFKA_BROKERS, SCHEMA_REGISTRY_URL, DATABASE_URL });
  const missing = given.filter(([, value]) => value.trim() === '').map(([name]) => name);
  if (missing.length === given.length) return null;
  if (missing.length > 0) {
    const set = given.map(([name]) => name).filter((name) => !missing.includes(name));
    throw new Failure(
      'stack_incomplete_address',
      `${set.join(' and ')} set, but not ${missing.join(' and ')}: set all three to use what runs elsewhere, or none for a local stack`,
    );
  }
  const brokers = KAFKA_BROKERS.split(',').map((broker) => broker.trim());
  return {
    kind: 'given',
    brokers: brokers.filter((broker) => broker !== ''),
    registry: SCHEMA_REGISTRY_URL.trim().replace(/\/+$/, ''),
    database: DATABASE_URL.trim(),
    console: null,
  };
}

/** Where the stack that `up` wrote down is, running or not. */
export function addressOf(state: StackState): StackAddress {
  return {
    kind: state.kind,
    brokers: bootstrapOf(state),
    registry: `http://127.0.0.1:${state.ports.registry}`,
    database: state.database,
    console: state.kind === 'docker' ? `http://127.0.0.1:${state.ports.console}` : null,
  };
}

/** How long what is given may take to answer. */
const patience = 10_000;

/** Throws one failure that lists all that does not answer. What answers is not judged further. */
export async function checkAnswers(
  address: StackAddress,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  report({ step: 'address', state: 'start', note: 'checking the addresses given in the environment' });
  const within = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const checks = [
    told('KAFKA_BROKERS', Promise.any(address.brokers.map((broker) => answersAsKafka(broker, within)))),
    told('SCHEMA_REGISTRY_URL', registryProbe(address.registry)(within)),
    told('DATABASE_URL', databaseProbe(address.database)(within)),
  ];
  const silent = (await Promise.all(checks)).filter((check) => check !== null);
  signal.throwIfAborted();
  if (silent.length > 0) {
    report({ step: 'address', state: 'failed' });
    throw new Failure(
      'stack_component_failed',
      `what the environment names does not answer: ${silent.join('; ')}`,
    );
  }
  report({ step: 'address', state: 'done' });
}

async function told(name: string, check: Promise<unknown>): Promise<string | null> {
  try {
    await check;
    return null;
  } catch (error) {
    return `${name}: ${reason(error)}`;
  }
}

/** The innermost message; never the address itself, which may hold a password. */
function reason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${patience / 1000} s`;
  return error.cause instanceof Error ? reason(error.cause) : error.message;
}
