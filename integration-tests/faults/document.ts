/** docs/reliability.md: what the last whole campaign has found, written by the campaign. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Figures, rowsOf } from './figures.ts';

const file = resolve(import.meta.dirname, '../../docs/reliability.md');

export function writeDocument(figures: Figures): void {
  writeFileSync(file, documentOf(figures));
}

export function documentOf(figures: Figures): string {
  const { total, machine, started_at, seconds, seed, form, skipped, faults, memory } = figures;
  const rows = rowsOf(figures).map((row) => `| ${row.join(' | ')} |`);
  const [head = '', ...rest] = rows;
  const rule = head.replaceAll(/[^|]+/g, '---');
  const command = form === 'short' ? 'npm run test:faults -- --short' : 'npm run test:faults';
  const hows = faults.map(({ fault, how }) => `- **${fault}**: ${how}.`);
  const grows = Object.entries(memory).map(
    ([service, { peak_mb, mb_per_minute }]) =>
      `| ${service} | ${peak_mb} MB | ${mb_per_minute === null ? 'none lived for three minutes' : `${mb_per_minute} MB a minute`} |`,
  );
  return `# Reliability

Written by \`${command} --write\`; do not edit. How it works, and how to run it: [operations](operations.md#faults).

On ${started_at.slice(0, 10)}, with seed ${seed}, in ${Math.round(seconds / 60)} minutes, on ${machine.cores} cores and ${machine.memory_gb} GB of memory with Node ${machine.node}: a broker, a registry and a PostgreSQL, ${form === 'short' ? 'two' : 'three'} processes
each of ${figures.services.join(', ')}, and ${total.missions} missions (${total.facts} facts).

**Lost ${total.lost}, duplicated ${total.duplicated}, stuck ${total.stuck}, otherwise wrong ${total.wrong}.**

${head}
${rule}
${rest.join('\n')}

${hows.join('\n')}
${skipped.map(({ fault, reason }) => `- **${fault}** was skipped: ${reason}.`).join('\n')}

- **Recovery** is the time from the fault to the next accepted fact: of each partition that a dead or frozen orchestrator
  held and that had work; of each task that a dead or frozen worker had claimed; of every partition with work after a
  lost answer, the kill of the broker (its restart included) and the end of a dead network. A task may be in the middle
  of a step of seconds, so it is an upper bound. The session of a silent process ends after 6 s, a lease after 5 s.
- **Longest stall**: how long a record was held back from a reader that reads committed records only.
- **Calls again**: intents that are in the journals under more than one lease, because a fault hid their outcome. The
  steps of ${total.steps_repeated} such calls left a second mark outside; all of them are of tools that say that twice is as once. Of effects that
  must not happen twice none did: people were asked about ${total.reconciled} whose outcome a fault hid.
- ${total.submitted_twice} missions were submitted a second time, and ${total.dead_letters} records that nobody can read were sent: each of them became one
  dead letter. ${total.reviews_answered} reviews were answered, a fifth of them twice.
- **Requests that are never made**: positions live in the changelog ([decision 1](decisions/0001-positions-live-in-the-changelog.md)), so no transaction
  commits offsets: AddOffsetsToTxn and TxnOffsetCommit have no answer that could be lost. The proxy saw none.

| service | most memory of a process | growth of what is kept, in those that lived for three minutes or more |
|---|---|---|
${grows.join('\n')}
`;
}
