import { Failure } from '#chassis/failures.ts';
import { openDatabase } from '#projector/database.ts';
import { openQueries, type Queries } from '#projector/queries.ts';
import { schemaName } from '#projector/schema-name.ts';
import type { Invocation } from './invocation.ts';
import { findAddress, placeOf } from './place.ts';

/** Asks the tables that the projector keeps. They follow the ledger a moment behind. */
export async function askProjection<T>(
  { env }: Invocation,
  ask: (queries: Queries) => Promise<T>,
): Promise<T> {
  const place = placeOf(env);
  const { database: url } = await findAddress(place, env);
  const database = openDatabase({ url, application: 'ravenhelm', connections: 3, statementMs: 15_000 });
  try {
    return await ask(openQueries(database, schemaName(place.prefix)));
  } catch (error) {
    if (error instanceof Failure && /PostgreSQL (42P01|3F000)/.test(error.message)) {
      const message = 'the projector has not made its tables yet';
      throw new Failure('services_not_running', message, { cause: error });
    }
    throw error;
  } finally {
    await database.close();
  }
}
