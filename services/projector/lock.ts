import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { translated } from './database.ts';

const lookEveryMs = 250;

/** Holds a lock of that name in the database while `work` runs; waits for whoever has it, until the signal. */
export async function withLock<T>(
  to: { readonly url: string; readonly name: string; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: to.url,
    application_name: to.name,
    connectionTimeoutMillis: 5000,
    keepAlive: true,
  });
  const lost = new AbortController();
  // With the connection the lock is gone, and somebody else may have it.
  client.on('error', (error) => lost.abort(translated(error)));
  try {
    await client.connect();
    const sql = 'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked';
    while ((await client.query<{ locked: boolean }>(sql, [to.name])).rows[0]?.locked !== true) {
      await sleep(lookEveryMs, undefined, { signal: to.signal });
    }
    return await work(AbortSignal.any([to.signal, lost.signal]));
  } catch (error) {
    throw translated(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
