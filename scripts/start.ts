/**
 * `npm start`: brings up what is needed, runs the example mission to its end, prints its timeline and what to try
 * next. Everything it does is a command of `ravenhelm` that a person can give, too.
 */

import { factsOf, timelineLines } from '#cli/commands/events.ts';
import { run } from '#cli/commands/run.ts';
import { statusDocument } from '#cli/commands/status.ts';
import { up } from '#cli/commands/up.ts';
import { withConnection } from '#cli/connection.ts';
import { newMissionId } from '#cli/mission-command.ts';
import { createOutput } from '#cli/output.ts';
import { placeOf } from '#cli/place.ts';
import { runCommand } from '#cli/run-command.ts';

const mission = 'missions/deploy-platform.yaml';

await runCommand(false, async (signal) => {
  const { stdout, stderr, env } = process;
  const output = createOutput({ stdout, stderr, env, json: false });
  const io = { output, env, signal };
  const { prefix, root } = placeOf(env);
  process.chdir(root);

  await up(io, { services: true });
  output.line();
  const id = newMissionId();
  const code = await run(io, mission, { id });
  if (code !== 0) return code;

  output.line('\nIts timeline, from the ledger:\n');
  const facts = await withConnection(io, (connection) => factsOf(connection, id, signal));
  for (const line of timelineLines(facts, stdout.columns)) output.line(line);

  const { brokers, registry, services } = await statusDocument(io);
  const worker = services.find(({ name }) => name === 'worker')?.pid ?? '<pid of the worker>';
  const rpk = `--brokers ${brokers} -X registry.hosts=${registry?.replace(/^https?:\/\//, '')}`;
  output.line(`
Try next:
  npx ravenhelm status                                 what runs, and where
  npx ravenhelm run ${mission}  once more, as a live view
  npx ravenhelm verify --all                           recompute every hash and every decision from Kafka alone
  npx ravenhelm rebuild --check                        PostgreSQL folded anew gives the same rows

Kill the worker while a mission runs, and watch it go on where it was:
  npx ravenhelm run ${mission} & sleep 1; kill -9 ${worker}; wait

With rpk (Redpanda's command line), from any shell:
  rpk topic consume ${prefix}.squad.coordination ${rpk} --use-schema-registry=value -o start \\
    | jq -r '.value | fromjson | "\\(.event_type) | \\(.source_agent) → \\(.target_agent) | \\(.payload.task_id // "")"'
  echo '{"brief":"Deploy the platform"}' | rpk topic produce ${prefix}.missions ${rpk} --schema-id=topic

Stop everything (data stay):
  npx ravenhelm down`);
  return 0;
});
