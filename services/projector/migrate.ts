import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import { translated } from './database.ts';

const dir = fileURLToPath(new URL('./migrations', import.meta.url));
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Creates the schema if it is not there and brings its tables up to date. Two at once wait for each other. */
export async function migrate(url: string, schema: string): Promise<void> {
  try {
    await runner({
      databaseUrl: { connectionString: url, connectionTimeoutMillis: 5000, query_timeout: 60_000 },
      dir,
      direction: 'up',
      schema,
      createSchema: true,
      migrationsTable: 'migrations',
      advisoryLockMode: 'wait',
      logger: quiet,
    });
  } catch (error) {
    throw translated(error);
  }
}
