/**
 * `npm run test:faults`: a swarm under faults, and a checker that shares no code with it. Exits 0 only when nothing is
 * lost, duplicated, stuck or wrong.
 */
import { asFailure } from '#chassis/failures.ts';
import { tryBroken } from './broken.ts';
import { runCampaign } from './campaign.ts';
import { writeDocument } from './document.ts';
import { isClean, terminalTable } from './figures.ts';
import { parseOptions } from './options.ts';
import { openProgress } from './progress.ts';

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  const progress = openProgress(process.stderr);
  const { say } = progress;
  const stop = new AbortController();
  const interrupt = () => {
    say('stopping what was started');
    stop.abort(new Error('interrupted'));
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  if (options.broken !== null) return tryBroken(options, stop.signal, say);
  say(`seed ${options.seed}`);
  const figures = await runCampaign(options, stop.signal, progress);
  progress.end();
  if (options.write) writeDocument(figures);
  if (options.json) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
  else {
    process.stdout.write(`\n${terminalTable(figures)}\n\n`);
    for (const { fault, reason } of figures.skipped) process.stdout.write(`skipped ${fault}: ${reason}\n`);
    const { lost, duplicated, repeated, stuck, wrong } = figures.total;
    process.stdout.write(
      `seed ${figures.seed}: lost ${lost}, duplicated ${duplicated}, stuck ${stuck}, wrong ${wrong} (repeated without effect ${repeated})\n`,
    );
  }
  return isClean(figures.total) ? 0 : 1;
}

let code = 1;
try {
  code = await main();
} catch (error) {
  const { code: name, message } = asFailure(error);
  process.stderr.write(`error ${name}: ${message}\n`);
}
// All is stopped; what a client still waits for, after a broker that was killed, is nothing to wait for.
process.stdout.write('', () => process.exit(code));
