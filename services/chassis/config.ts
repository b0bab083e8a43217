import { z } from 'zod';
import { Failure } from './failures.ts';

/**
 * What every service reads from its environment. Addresses have no default: `ravenhelm up` writes them, a cluster's
 * manifest sets them, and a service that guessed would write into the wrong ledger.
 */
const Environment = z.object({
  KAFKA_BROKERS: z
    .string()
    .transform((text) => text.split(',').map((broker) => broker.trim()))
    .pipe(z.array(z.string().regex(/^[^\s:]+:\d+$/, 'expected host:port[,host:port…]')).min(1)),
  SCHEMA_REGISTRY_URL: z.url({ protocol: /^https?$/ }),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  /** The namespace: topics, groups and transactional ids begin with it. */
  RAVENHELM_PREFIX: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,60}$/, 'expected lower-case letters, digits, dot, dash or underscore')
    .default('ravenhelm'),
  /** Partitions of topics when they are created. */
  RAVENHELM_PARTITIONS: z.coerce.number().int().min(1).max(512).default(3),
  /** Copies of each partition of new topics; not set: three where there are three brokers, else one. */
  RAVENHELM_REPLICATION: z.coerce.number().int().min(1).max(9).optional(),
  /** Where missions' workspaces live. */
  RAVENHELM_WORKSPACES: z.string().min(1).default('.ravenhelm/workspaces'),
  /** Folder of role files; the project's own when not set. */
  RAVENHELM_ROLES: z.string().min(1).optional(),
  /** File that says which records are tried again, and how; see docs/operations.md. */
  RAVENHELM_RETRY_POLICY: z.string().min(1).optional(),
  /** How long the group waits for a silent member before its partitions go to another; milliseconds. */
  RAVENHELM_SESSION_TIMEOUT_MS: z.coerce.number().int().min(6000).max(300_000).default(6000),
  /** How long an open transaction may hold readers back when its producer died; milliseconds. */
  RAVENHELM_TRANSACTION_TIMEOUT_MS: z.coerce.number().int().min(1000).max(900_000).default(10_000),
  /** How long a service may take to drain on SIGTERM; milliseconds. */
  RAVENHELM_DRAIN_TIMEOUT_MS: z.coerce.number().int().min(0).max(600_000).default(10_000),
  /** Tasks that one worker process runs at once for each role; a role's own limit is lower or equal. */
  MAX_WORKERS_PER_ROLE: z.coerce.number().int().min(1).max(10_000).default(32),
  /**
   * Assignments that a role may have outstanding in a partition, sent and not begun; not set: as many as its live
   * agents can hold.
   */
  RAVENHELM_OUTSTANDING: z.coerce.number().int().min(1).max(1_000_000).optional(),
  /**
   * How long an assignment that was sent may wait for an agent, while its role has a free one, before it is sent again;
   * milliseconds.
   */
  RAVENHELM_SCHEDULE_TO_START_MS: z.coerce.number().int().min(1000).max(86_400_000).default(300_000),
  /** The version of the rules by which new missions are decided; the newest when not set. */
  RAVENHELM_RULES: z
    .string()
    .regex(/^\d{1,6}$/, 'expected the number of a version of the rules')
    .transform(Number)
    .optional(),
  /** For tests: an orchestrator as of an older version, which has these rules alone; `0` or `0,1`. */
  RAVENHELM_RULES_KNOWN: z
    .string()
    .regex(/^\d{1,6}(,\d{1,6})*$/, 'expected numbers of versions of the rules')
    .transform((text) => text.split(',').map(Number))
    .optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** Port for /health, /ready and /metrics on the loopback interface; 0 takes a free one. */
  HEALTH_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  /** Address that the health server binds; loopback unless told. */
  HEALTH_HOST: z.string().default('127.0.0.1'),
});

export type Config = z.output<typeof Environment>;

/** Reads and checks the environment. Throws one `invalid_configuration` that lists all that is wrong. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const read = Environment.safeParse(env);
  if (read.success) return read.data;
  const lines = read.error.issues.map((issue) => {
    const name = issue.path.join('.');
    const found = env[name] === undefined ? 'not set' : `found ${JSON.stringify(shown(name, env[name]))}`;
    return `  ${name}: ${issue.message} (${found})`;
  });
  throw new Failure('invalid_configuration', `The environment is not valid:\n${lines.join('\n')}`);
}

/** A database address holds a password, and errors end up in logs. */
function shown(name: string, value: string | undefined): string | undefined {
  return name === 'DATABASE_URL' ? value?.replace(/\/\/[^@]*@/, '//…@') : value;
}
