/**
 * Writes the history of a namespace to a file: its ledger byte for byte, the schemas and the heads of its missions.
 * Reads the stack that the environment names, or the one that `ravenhelm up` started.
 *
 *   node scripts/record-history.ts FILE
 */
import { asFailure, Failure } from '#chassis/failures.ts';
import { withConnection } from '#cli/connection.ts';
import { writeHistory } from '#orchestrator/golden/history.ts';
import { recordHistory } from '#orchestrator/golden/record.ts';

try {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Failure('invalid_arguments', 'expected the file to write');
  const { env } = process;
  const signal = AbortSignal.timeout(600_000);
  await withConnection({ env, signal }, async ({ kafka, codec, topics, place, address }) => {
    const from = { kafka, topics, codec: await codec(), prefix: place.prefix, registry: address.registry };
    const history = await recordHistory(from, signal);
    writeHistory(file, history);
    process.stdout.write(`${history.records.length} facts of ${history.heads.size} missions: ${file}\n`);
  });
} catch (error) {
  const { code, message } = asFailure(error);
  process.stderr.write(`error ${code}: ${message}\n`);
  process.exitCode = 1;
}
