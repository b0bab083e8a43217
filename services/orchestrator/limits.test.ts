/** The limits that the documents name are those of the code. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { mostRecordBytes } from '#chassis/decode-record.ts';
import * as inbox from '#chassis/inbox.ts';
import { bytesPerPartition } from '#chassis/sends.ts';
import * as transaction from '#chassis/transaction.ts';
import { defaultHops } from '#correlator/hops.ts';
import { mostReactions } from '#correlator/react.ts';
import { outputLimit } from '#worker/tool-steps.ts';
import { FILE_LIMIT } from '#worker/tools/capture.ts';
import { WRITE_LIMIT } from '#worker/workspace.ts';
import * as assigning from './assigning.ts';
import { bounds } from './bounds.ts';
import { results } from './evolve.ts';
import { mostLeases } from './firing.ts';
import * as plan from './plan.ts';
import { mostBrief } from './planning.ts';
import { defaultPolicy } from './policy.ts';
import { most } from './reaction-options.ts';
import { mostStateBytes } from './sizes.ts';

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const number = (value: number) => value.toLocaleString('en-US');
const numbers = (...values: number[]) => values.map(number).join('; ');
const kib = (value: number) => `${value / 1024} KiB`;
const mib = (value: number) => `${value / 1024 ** 2} MiB`;

const { lease_ms, task_timeout_ms, deadline_ms, max_attempts, max_in_flight } = defaultPolicy;
const hours = (ms: number) => `${ms / 3_600_000} h`;

/** Rows of the table under "Limits" of operations.md, as the code has them. */
const rows: Readonly<Record<string, string>> = {
  'a record on an input': `${kib(mostRecordBytes)}, larger ones become dead letters`,
  'a record of a mission that the orchestrator writes; its state in the changelog': `${kib(mostRecordBytes)}; ${number(mostStateBytes)} bytes: what would be larger fails the mission (\`mission_too_large\`)`,
  'tasks of a mission; needs in all; bytes of the plan; bytes of a brief without tasks': numbers(
    ...[plan.mostTasks, plan.mostNeeds, plan.mostBytes, mostBrief],
  ),
  'tasks of a mission in flight': `${max_in_flight} unless told, at most ${number(bounds.max_in_flight.most)}`,
  'result of a task': `${kib(results.each)}; longer ones are cut, and the whole is in the workspace`,
  'results that an assignment carries': `${kib(assigning.mostNeeds)} together`,
  'output of a tool call': `${kib(outputLimit)}; of more, the beginning and the end, and up to ${mib(FILE_LIMIT)} of it in the workspace`,
  'a write into the workspace': mib(WRITE_LIMIT),
  'attempts; leases of an attempt': `${max_attempts} unless told, at most ${bounds.max_attempts.most}; ${mostLeases}`,
  'lease; task timeout; deadline': `${lease_ms / 1000} s; ${task_timeout_ms / 60_000} min; ${hours(deadline_ms)} unless told`,
  'reactions one after another; of a mission': `${defaultHops}, unless \`max_hops\` says otherwise; ${number(mostReactions)}`,
  'data of an emitted event; events of an aggregator': `${kib(most.data)}; ${most.each}`,
};

describe('the limits in the documents', () => {
  const section = page('operations.md').split('\n## Limits\n')[1]?.split('\n## ')[0] ?? '';
  const written = new Map(
    section.split('\n').flatMap((line) => {
      const [, what, limit] = /^\| (?<what>.+?) \| (?<limit>.+) \|$/.exec(line) ?? [];
      return what === undefined || limit === undefined ? [] : [[what, limit] as const];
    }),
  );
  for (const [what, limit] of Object.entries(rows)) {
    it(`of ${what}: as the code has it`, () => assert.equal(written.get(what), limit));
  }

  it('of architecture.md: as the code has them', () => {
    const text = page('architecture.md').replaceAll(/\s+/g, ' ');
    for (const said of [
      `from ${number(transaction.mostRecords)} records or ${transaction.mostBytes / 1e6} MB on`,
      `at most ${bytesPerPartition / 1000} kB for one partition`,
      `A partition with ${number(inbox.mostRecords)} records or ${mib(inbox.mostBytes)} fetched and not handled`,
    ])
      assert.ok(text.includes(said), said);
  });
});
