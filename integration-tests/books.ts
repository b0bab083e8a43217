/** Whether all books say the same of what a mission has cost: the ledger, the journals, and the rows in PostgreSQL. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { readTopic } from '#chassis/reader.ts';
import { schemaName } from '#projector/schema-name.ts';
import type { EventOf, Usage } from '#schemas/types.gen.ts';
import type { StepEvent } from '#worker/journal.ts';
import type { Namespace } from './harness.ts';

/** Tokens of each kind and nano-dollars. */
export interface Sum {
  readonly input: number;
  readonly output: number;
  readonly read: number;
  readonly written: number;
  readonly nanos: number;
}
type Sums = Readonly<Record<string, Sum>>;

const zero: Sum = { input: 0, output: 0, read: 0, written: 0, nanos: 0 };
const add = (a: Sum, b: Sum): Sum => ({
  input: a.input + b.input,
  output: a.output + b.output,
  read: a.read + b.read,
  written: a.written + b.written,
  nanos: a.nanos + b.nanos,
});
export const nanosOf = (usd: number | null): number => Math.round((usd ?? Number.NaN) * 1e9);
export const sumOf = (usage: Usage): Sum => ({
  input: usage.input_tokens,
  output: usage.output_tokens,
  read: usage.cache_read_tokens,
  written: usage.cache_write_tokens,
  nanos: nanosOf(usage.cost_usd),
});

function byTask(entries: readonly (readonly [string, Sum])[]): Sums {
  const sums: Record<string, Sum> = {};
  for (const [task, sum] of entries) sums[task] = add(sums[task] ?? zero, sum);
  return sums;
}

/** What the ledger says of each task: of all its attempts. */
export function ledgerByTask(space: Namespace, mission: string): Sums {
  return byTask(
    space.facts.of(mission).flatMap((fact) => {
      switch (fact.event_type) {
        case 'task_completed':
        case 'task_failed':
        case 'task_attempt_failed':
          return [[fact.payload.task_id, sumOf(fact.payload.usage)] as const];
        default:
          return [];
      }
    }),
  );
}

/** All records of a topic as they are now, with the trace that they say they belong to. */
export async function readAll(space: Namespace, topic: string) {
  const { kafka, codec } = space.context;
  const records: { readonly value: Partial<StepEvent>; readonly trace: string }[] = [];
  await readTopic({
    kafka,
    topic,
    prefix: space.prefix,
    until: 'end',
    signal: AbortSignal.timeout(30_000),
    each({ message }) {
      if (message.value === null) return;
      const header = message.headers?.['traceparent'];
      const trace = String(Array.isArray(header) ? header[0] : (header ?? '')).split('-')[1] ?? '';
      records.push({ value: codec.decode(message.value).value as Partial<StepEvent>, trace });
    },
  });
  return records;
}

async function journalByTask(space: Namespace, mission: string): Promise<Sums> {
  const steps = await readAll(space, space.context.topics.steps);
  return byTask(
    steps
      .map(({ value }) => value as EventOf<'model_call_ended'>)
      .filter((step) => step.event_type === 'model_call_ended' && step.correlation_id === mission)
      .map(({ payload }) => [payload.task_id, sumOf(payload.usage)]),
  );
}

async function rowsByTask(space: Namespace, mission: string): Promise<Sums> {
  const rows = await query<{ task_id: string } & Record<keyof Sum, string>>(
    space,
    `select task_id, sum(input_tokens) as input, sum(output_tokens) as output, sum(cache_read_tokens) as read,
            sum(cache_write_tokens) as written, sum(cost_nanos) as nanos
       from model_calls where mission_id = $1 and status <> 'started' group by task_id`,
    [mission],
  );
  return byTask(
    rows.map((row) => [
      row.task_id,
      {
        input: Number(row.input),
        output: Number(row.output),
        read: Number(row.read),
        written: Number(row.written),
        nanos: Number(row.nanos),
      },
    ]),
  );
}

/** Rows of the namespace's own schema. */
export async function query<Row extends pg.QueryResultRow>(
  space: Namespace,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client(process.env['DATABASE_URL']);
  await client.connect();
  try {
    await client.query(`set search_path to "${schemaName(space.prefix)}"`);
    return (await client.query<Row>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** The tables follow the log a moment behind. */
export async function untilEnded(space: Namespace, mission: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(100)) {
    const [row] = await query<{ status: string }>(
      space,
      'select status from missions where mission_id = $1',
      [mission],
    );
    if (row !== undefined && !['planning', 'running'].includes(row.status)) return;
  }
  assert.fail(`${mission} has not ended in PostgreSQL within 20 s`);
}

/**
 * Ledger, journals and rows agree task by task, and their sum is what the mission says of itself. Gives that sum.
 * Not for a mission with missions within it: their journals are their own.
 */
export async function checkBooks(space: Namespace, mission: string): Promise<Sum> {
  const end = await space.facts.end(mission);
  assert.ok('usage' in end.payload, end.event_type);
  const tasks = ledgerByTask(space, mission);
  const whole = Object.values(tasks).reduce(add, zero);
  assert.deepEqual(sumOf(end.payload.usage), whole, `${mission}: its tasks add up to it`);
  assert.deepEqual(await journalByTask(space, mission), withCalls(tasks), `${mission}: steps on the log`);
  await untilEnded(space, mission);
  let rows: Sums = {};
  for (let i = 0; i < 50; i++, await sleep(100)) {
    rows = await rowsByTask(space, mission);
    if (JSON.stringify(Object.values(rows).reduce(add, zero)) === JSON.stringify(whole)) break;
  }
  assert.deepEqual(rows, withCalls(tasks), `${mission}: model_calls`);
  return whole;
}

/** A task that called no model has no calls to add up. */
const withCalls = (sums: Sums): Sums =>
  Object.fromEntries(
    Object.entries(sums).filter(([, sum]) => sum.input + sum.output + sum.read + sum.written > 0),
  );

/** `ravenhelm verify --all` as a person runs it. */
export async function verifyAll(space: Namespace): Promise<void> {
  const bin = resolve(import.meta.dirname, '..', 'cli', 'ravenhelm.js');
  const child = spawn(process.execPath, [bin, 'verify', '--all'], {
    env: { ...space.env, RAVENHELM_HOME: join(space.folder, 'home') },
    cwd: space.folder,
  });
  const code = new Promise<number | null>((done) => child.once('exit', done));
  const [ended, out, err] = await Promise.all([code, text(child.stdout), text(child.stderr)]);
  assert.equal(ended, 0, `verify --all:\n${out}${err}`);
  assert.match(out, /every hash and every decision as recomputed/);
}
