import { openLog } from '#chassis/log.ts';
import { compareWithLive, type RebuildSettings, rebuild as rebuildTables } from '#projector/rebuild.ts';
import { type Connection, withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { showSteps } from '../steps.ts';
import { table } from '../table.ts';

export interface RebuildOptions {
  readonly check?: boolean;
}

/** Folds the ledger from its beginning into fresh tables. With `check` they are compared with the live ones; exit 1: they differ. */
export async function rebuild(io: Invocation, options: RebuildOptions): Promise<ExitCode> {
  return withConnection(io, (connection) => (options.check ? check(io, connection) : swap(io, connection)));
}

async function swap(io: Invocation, connection: Connection): Promise<ExitCode> {
  const { output } = io;
  const rebuilt = await withSteps(io, connection, rebuildTables);
  if (output.json) output.document(rebuilt);
  else
    output.line(
      `Folded ${rebuilt.folded} records anew; the tables of schema ${rebuilt.schema} were exchanged.`,
    );
  return 0;
}

async function check(io: Invocation, connection: Connection): Promise<ExitCode> {
  const { output } = io;
  const comparison = await withSteps(io, connection, compareWithLive);
  if (output.json) output.document(comparison, true);
  else {
    const rows = comparison.tables.map(({ table: name, equal, live, rebuilt }) => [
      name,
      equal ? output.colors.green('equal') : output.colors.red('differs'),
      live.rows,
      rebuilt.rows,
      live.hash.slice(0, 16),
      rebuilt.hash.slice(0, 16),
    ]);
    const headings = ['table', 'outcome', 'rows live', 'rows rebuilt', 'hash live', 'hash rebuilt'];
    for (const line of table(headings, rows)) output.line(line);
  }
  return comparison.equal ? 0 : 1;
}

async function withSteps<T>(
  { output, signal }: Invocation,
  connection: Connection,
  work: (settings: RebuildSettings) => Promise<T>,
): Promise<T> {
  const { kafka, topics, place, address } = connection;
  const [admin, codec] = await Promise.all([connection.admin(), connection.codec()]);
  const show = showSteps(output);
  const step = 'rebuild';
  show.report({ step, state: 'start' });
  try {
    const done = await work({
      ...{ kafka, admin, codec, topics, signal, prefix: place.prefix, url: address.database },
      log: openLog('rebuild', 'silent'),
      progress: ({ phase, folded, total }) =>
        show.report({ step, state: 'progress', done: folded, total, note: phase }),
    });
    show.report({ step, state: 'done', note: 'done' });
    return done;
  } catch (error) {
    show.report({ step, state: 'failed' });
    throw error;
  } finally {
    show.end();
  }
}
