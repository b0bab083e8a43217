/** docs/reliability.md: what the last whole campaigns have found, each in a part that the campaign writes anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Figures, rowsOf } from './figures.ts';

const file = resolve(import.meta.dirname, '../../docs/reliability.md');

export function writeDocument(figures: Figures): void {
  writeFileSync(file, documentOf(figures, readFileSync(file, 'utf8')));
}

const titles = ['## One broker', '## Three brokers'];

/** @param before What the document says so far: the part of the other number of brokers stays. */
export function documentOf(figures: Figures, before: string): string {
  const own = figures.brokers === 1 ? 0 : 1;
  const parts = titles.map((title, i) =>
    i === own ? `${title}\n\n${partOf(figures)}` : partIn(before, title),
  );
  return `# Reliability

Written by \`npm run test:faults -- --write\`, one part for each number of brokers; do not edit. How it works, and how to run it:
[operations](operations.md#faults).

${parts.filter((part) => part !== '').join('\n')}`;
}

/** From its title to the next one; empty where there is none. */
function partIn(text: string, title: string): string {
  const start = text.indexOf(`${title}\n`);
  if (start < 0) return '';
  const end = text.indexOf('\n## ', start + title.length);
  return end < 0 ? text.slice(start) : text.slice(start, end);
}

function partOf(figures: Figures): string {
  const { total, machine, started_at, seconds, seed, form, brokers, skipped, faults, memory } = figures;
  const rows = rowsOf(figures).map((row) => `| ${row.join(' | ')} |`);
  const [head = '', ...rest] = rows;
  const rule = head.replaceAll(/[^|]+/g, '---');
  const flags = [
    ...(brokers === 1 ? [] : [`--brokers ${brokers}`]),
    ...(form === 'whole' ? [] : [`--${form}`]),
    '--write',
  ];
  const command = `npm run test:faults -- ${flags.join(' ')}`;
  const hows = faults.map(({ fault, how }) => `- **${fault}**: ${how}.`);
  const grows = Object.entries(memory).map(
    ([service, { peak_mb, mb_per_minute }]) =>
      `| ${service} | ${peak_mb} MB | ${mb_per_minute === null ? 'none lived for three minutes' : `${mb_per_minute} MB a minute`} |`,
  );
  return `\`${command}\`, on ${started_at.slice(0, 10)}, with seed ${seed}, in ${Math.round(seconds / 60)} minutes, on ${machine.cores} cores and ${machine.memory_gb} GB of memory with Node ${machine.node}: ${brokers === 1 ? 'a broker' : `${brokers} brokers`}, a registry and a PostgreSQL, ${form === 'whole' ? 'three' : 'two'} processes
each of ${figures.services.join(', ')}, and ${total.missions} missions (${total.facts} facts).

**Lost ${total.lost}, duplicated ${total.duplicated}, stuck ${total.stuck}, otherwise wrong ${total.wrong}** (${total.repeated} reports and steps are there twice, byte for byte, with no effect).

${head}
${rule}
${rest.join('\n')}

${hows.join('\n')}
${skipped.map(({ fault, reason }) => `- **${fault}** was skipped: ${reason}.`).join('\n')}

- **Recovery** is the time from the fault to the next accepted fact: of each partition that a dead or frozen orchestrator
  held and that had work; of each task that a dead or frozen worker had claimed; of every partition with work after a
  lost answer, the kill of the broker (its restart included) and the end of a dead network. A task may be in the middle
  of a step of seconds, so it is an upper bound.${brokers === 1 ? '' : severalMeasured} The session of a silent process ends after 6 s, a lease after 5 s.
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

const severalMeasured = ` After a fault of brokers it is
  counted from when every partition has a leader that lives and enough copies in sync again, to the next fact after that of every
  partition with work; the same fact counted from the fault is beside it.`;
