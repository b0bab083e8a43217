import pg from 'pg';
import { asFailure, Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';

export type Client = pg.ClientBase;

export interface DatabaseSettings {
  /** postgres://… */
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly application: string;
  readonly connections?: number;
  /** Longest time of one statement; ms. */
  readonly statementMs?: number;
  readonly log?: Logger;
}

/** PostgreSQL, as far as Ravenhelm uses it. Every error it throws is a Failure or a {@link DataRefused}. */
export interface Database {
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Commits when `work` ends, rolls back when it throws. Other errors than the database's come through unchanged. */
  transaction<T>(work: (client: Client) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** PostgreSQL refuses the values themselves: trying again cannot help, leaving the record out can. */
export class DataRefused extends Error {}

const connectMs = 5000;
const bigint = 20;

export function openDatabase(settings: DatabaseSettings): Database {
  const statementMs = settings.statementMs ?? 25_000;
  const pool = new pg.Pool({
    connectionString: settings.url,
    application_name: settings.application,
    max: settings.connections ?? 4,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    query_timeout: statementMs + 5000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    // A commit that a crash of PostgreSQL takes back takes its offsets back as well, and is folded again.
    options: '-c synchronous_commit=off -c timezone=UTC',
    types: {
      getTypeParser: (oid, format) =>
        oid === bigint
          ? Number
          : format === 'binary'
            ? pg.types.getTypeParser(oid, 'binary')
            : pg.types.getTypeParser(oid, 'text'),
    },
  });
  // A connection that breaks while nobody uses it; the next query finds out.
  pool.on('error', (error) => settings.log?.debug({ error: error.message }, 'idle database connection lost'));

  return {
    async query<Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
      try {
        return (await pool.query<Row>(sql, [...values])).rows;
      } catch (error) {
        throw translated(error);
      }
    },
    async transaction(work) {
      const client = await pool.connect().catch((error: unknown) => {
        throw translated(error);
      });
      let broken = false;
      // Without a listener, a connection that breaks between two statements would end the process.
      const onError = () => {
        broken = true;
      };
      client.on('error', onError);
      try {
        await client.query('begin');
        const result = await work(client);
        await client.query('commit');
        return result;
      } catch (error) {
        const failure = translated(error);
        await client.query('rollback').catch(() => {
          broken = true;
        });
        throw failure;
      } finally {
        client.off('error', onError);
        client.release(broken);
      }
    },
    async close() {
      await pool.end();
    },
  };
}

/** By the class of the SQLSTATE: cardinality, data exception, constraint violation, program limit. */
const refusals = new Set(['21', '22', '23', '54']);
/** No answer to these values: a statement that takes too long, what PostgreSQL cannot do, an error inside it. */
const doubts = new Set(['0A000', '57014', 'XX000']);
/** Wrong password, no such database, something that does not exist or is not allowed. */
const mistakes = new Set(['28', '3D', '3F', '42']);

/** What a database error means. An error without SQLSTATE is one of the connection. */
export function translated(error: unknown): unknown {
  if (error instanceof Failure || error instanceof DataRefused) return error;
  if (error instanceof pg.DatabaseError) {
    const kind = error.code?.slice(0, 2) ?? '';
    const message = `PostgreSQL ${error.code}: ${error.message}`;
    if (refusals.has(kind)) return new DataRefused(message, { cause: error });
    if (mistakes.has(kind)) return new Failure('invalid_configuration', message, { cause: error });
    return new Failure('database_unavailable', message, { cause: error });
  }
  if (!(error instanceof Error) || !isConnectionError(error)) return error;
  const { message } = asFailure(error);
  return new Failure('database_unavailable', `PostgreSQL does not answer: ${message || errorCode(error)}`, {
    cause: error,
  });
}

/** Whether PostgreSQL answered, and it may be the values: after a few tries that is believed. */
export function mayBeTheValues(error: unknown): boolean {
  const { cause } = error as { readonly cause?: unknown };
  return cause instanceof pg.DatabaseError && doubts.has(cause.code ?? '');
}

function isConnectionError(error: Error): boolean {
  if (/^(E[A-Z_]+|CERT_.*|DEPTH_ZERO.*|SELF_SIGNED.*)$/.test(errorCode(error))) return true;
  return /connection|timeout|terminat|queryable|server does not support/i.test(error.message);
}

function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
