import { Failure } from '#chassis/failures.ts';
import { withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import { factLine } from '../fact-line.ts';
import type { Invocation } from '../invocation.ts';
import { readLedger } from '../ledger.ts';
import { checkedMissionId } from '../mission-command.ts';
import { foldMission } from '../mission-fold.ts';
import { linesBelow } from '../mission-show.ts';

export interface WatchOptions {
  readonly fromStart?: boolean;
}

/**
 * Prints facts as they come, a line each. One mission is told from its beginning, and ends the watching when it ends;
 * all missions from now on, or from the start of the ledger, until Ctrl-C.
 */
export async function watch(
  io: Invocation,
  given: string | undefined,
  options: WatchOptions,
): Promise<ExitCode> {
  const { output, signal } = io;
  const mission = given === undefined ? null : checkedMissionId(given);
  const fold = foldMission();
  await withConnection(io, (connection) =>
    readLedger(connection, {
      mission,
      start: mission !== null || options.fromStart ? 'earliest' : 'latest',
      until: 'follow',
      signal,
      each({ fact }) {
        if (output.json) output.document(fact);
        else {
          output.line(factLine(fact, output.colors));
          for (const line of linesBelow(fact, output.colors)) output.line(`  ${line}`);
        }
        if (mission === null) return true;
        fold.add(fact);
        return !fold.over;
      },
    }),
  );
  if (fold.over) return 0;
  if (!signal.aborted) throw new Failure('broker_unavailable', 'the ledger cannot be read any further');
  return 130;
}
