/** Secrets planted wherever they could come from, and looked for wherever they could end up. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { readTopic } from '#chassis/reader.ts';
import { startCollector } from '#chassis/span-collector.ts';
import { quoted, schemaName } from '#projector/schema-name.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { type Namespace, openNamespace } from './harness.ts';
import { startObeyingModel, writeRole } from './obeying-model.ts';

/** Known by name to the worker alone, or to worker and person; and one of each shape that nobody knows. */
const secrets = {
  ofProvider: 'sk-ant-api03-Zk3mW8qT5vB1nX7cR2yL9pD4fH6jS0aG',
  ofWorker: 'k9Xw2fQz77Lm0pRt',
  ofBoth: 'Vb5nM2xC8zL4kJ7hG1fD',
  github: 'ghp_R4nd0mT0k3nV4lu3Zx9Yw8Vu7Ts6Rq5Po4Nm',
  aws: 'AKIA5XQW7JN3KL2MPZRT',
  jwt: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJib2IiLCJhZG1pbiI6dHJ1ZX0.dGhpc0lzTm90QVJlYWxTaWduYXR1cmVBdEFsbA',
} as const;
const planted = Object.values(secrets);
/** What is no secret, and has to be found in each of the places: that the looking looks. */
const canary = 'canary-of-no-secret';

const everything = `${canary} ${planted.join(' ')} ${Buffer.from(secrets.ofWorker).toString('base64')}`;

test('planted secrets are found nowhere, and what stands beside them is', { timeout: 180_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['keeper'], partitions: 1 });
  const collector = await startCollector(t);
  const model = await startObeyingModel(secrets.ofProvider, {
    tells: {
      calls: [
        { name: 'workspace_read', input: { path: 'leak.env' } },
        { name: 'execute_terminal_command', input: { argv: ['cat', 'leak.env'] } },
        { name: 'execute_terminal_command', input: { argv: ['base64', '-w0', 'leak.env'] } },
        { name: 'workspace_read', input: { path: `${canary}/${secrets.github}` } },
        {
          name: 'share_insight',
          input: { pattern: 'a.b', insight: `${canary}: ${secrets.github} ${secrets.jwt}` },
        },
        { name: 'find_insights', input: {} },
      ],
      answer: `${canary}: the keys are ${secrets.github}, ${secrets.aws} and ${secrets.jwt}`,
    },
    knows: { answer: `${canary}: your token is ${secrets.ofWorker}` },
    fails: { answer: 'never said' },
  });
  t.after(() => model.close());
  writeRole(space, 'keeper', {
    tools: ['workspace_read', 'execute_terminal_command', 'share_insight', 'find_insights'],
  });
  const traced = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
    LOG_LEVEL: 'debug',
  };
  const agentsOwn = { DEPLOY_TOKEN: secrets.ofWorker, SHARED_SECRET: secrets.ofBoth };
  await space.start('orchestrator', { env: traced });
  await space.start('projector', { env: traced });
  const worker = await space.start('worker', { env: { ...traced, ...model.env, ...agentsOwn } });

  /** As a person submits it, with what the person's own environment knows. */
  const submit = async (id: string, task: string): Promise<void> => {
    const file = space.file(id, 'leak.env');
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${everything}\n`);
    const said = `${canary} ${secrets.ofBoth} ${secrets.github} ${secrets.aws} ${secrets.jwt} ${secrets.ofProvider}`;
    const mission = {
      name: `n ${said}`,
      brief: `b ${said}`,
      tasks: [{ id: task, role: 'keeper', description: `d ${said}` }],
    };
    const ended = await ravenhelm(space, ['submit', '-', '--id', id], JSON.stringify(mission), {
      SHARED_SECRET: secrets.ofBoth,
    });
    assert.match(ended.stderr, /holds what looks like a secret/);
    assertClean('the command line', ended.stdout + ended.stderr);
  };
  await submit('m-tells', 'tells');
  const end = await space.facts.end('m-tells');
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(space.facts.of('m-tells').at(-2)));

  await submit('m-knows', 'knows');
  assert.equal((await space.facts.end('m-knows')).event_type, 'mission_failed');
  const violation = space.facts
    .of('m-knows')
    .find((fact): fact is EventOf<'safety_violation'> => fact.event_type === 'safety_violation');
  assert.deepEqual([violation?.payload.rule, violation?.payload.where], ['known_secret', 'output']);

  const message = `${canary}: no access with ${secrets.ofProvider}, nor ${secrets.github} ${secrets.ofWorker}`;
  model.fail({ fault: 'status', status: 401, message });
  await submit('m-fails', 'fails');
  assert.equal((await space.facts.end('m-fails')).event_type, 'mission_failed');
  const failed = space.facts.of('m-fails').find((fact) => fact.event_type === 'task_failed');
  assert.ok(
    failed?.event_type === 'task_failed' && failed.payload.code === 'key_refused',
    JSON.stringify(failed),
  );
  assert.match(failed.payload.message, new RegExp(canary));

  await projected(space, ['m-tells', 'm-knows', 'm-fails']);
  // What is on its way to the collector is there when its process has ended.
  await worker.stop();

  const topics = await everyRecord(space);
  for (const place of [
    'missions',
    'squad.coordination',
    'squad.steps',
    'squad.tasks.keeper',
    'squad.reports',
    'squad.knowledge',
  ]) {
    assert.ok(topics.get(`${space.prefix}.${place}`)?.includes(canary), `${place} was read`);
  }
  for (const [name, content] of topics) assertClean(`topic ${name}`, content);

  const database = await everyRow(space);
  assert.ok(database.includes(canary), 'the rows were read');
  assertClean('PostgreSQL', database);

  const sent = JSON.stringify(model.calls.map(({ request }) => request.body));
  assert.ok(sent.includes(canary) && sent.includes('[secret:DEPLOY_TOKEN]'), 'the requests were read');
  assertClean('what the provider was sent', sent);

  assert.ok(collector.text().includes(canary), 'the spans were read, and hold content');
  assertClean('spans', collector.text());

  const logs = readdirSync(space.folder).filter((file) => file.endsWith('.log'));
  assert.deepEqual(logs.length, 3);
  const lines = logs.map((file) => readFileSync(join(space.folder, file), 'utf8')).join('');
  for (const line of lines.trim().split('\n')) JSON.parse(line);
  assert.match(lines, /a safety rule refused it/);
  assertClean('logs', lines);

  for (const args of [
    ['mission', 'm-tells'],
    ['events', 'm-fails'],
    ['events', 'm-knows', '--json'],
    ['tasks'],
    ['missions'],
  ]) {
    const { code, stdout, stderr } = await ravenhelm(space, args);
    assert.equal(code, 0, stderr);
    assertClean(`ravenhelm ${args.join(' ')}`, stdout + stderr);
  }
});

/** Known secrets in no form, those that only their shape gives away not as they are. */
function assertClean(where: string, content: string): void {
  for (const [name, value] of Object.entries(secrets)) {
    const forms: string[] = [value];
    if (name.startsWith('of')) {
      forms.push(encodeURIComponent(value), Buffer.from(value).toString('hex'));
      // The characters at the ends of base64 depend on what stands beside.
      for (const before of ['', 'x', 'xx']) {
        forms.push(
          Buffer.from(before + value)
            .toString('base64')
            .slice(4, -4),
        );
      }
    }
    for (const form of forms) {
      const at = content.indexOf(form);
      assert.ok(at < 0, `${where}: ${name} as ${form} in …${content.slice(Math.max(0, at - 200), at + 100)}`);
    }
  }
}

async function ravenhelm(
  space: Namespace,
  args: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const bin = resolve(import.meta.dirname, '../cli/ravenhelm.js');
  const home = { RAVENHELM_HOME: join(space.folder, 'home') };
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...space.env, ...home, ...env },
    cwd: space.folder,
  });
  child.stdin.end(input);
  const code = new Promise<number | null>((done) => child.once('exit', done));
  const [exit, stdout, stderr] = await Promise.all([code, text(child.stdout), text(child.stderr)]);
  return { code: exit, stdout, stderr };
}

/** Keys, values and headers of all topics of the namespace, as they are. */
async function everyRecord({ context, prefix }: Namespace): Promise<ReadonlyMap<string, string>> {
  const all = await context.admin.listTopics();
  const mine = all.filter((name) => name.startsWith(`${prefix}.`));
  const content = new Map<string, string>();
  for (const topic of mine) {
    const pieces: string[] = [];
    await readTopic({
      kafka: context.kafka,
      topic,
      prefix,
      until: 'end',
      signal: AbortSignal.timeout(30_000),
      each: ({ message: { key, value, headers } }) => {
        const more = Object.entries(headers ?? {}).map(([name, header]) => `${name}=${String(header)}`);
        pieces.push(key?.toString('latin1') ?? '', value?.toString('latin1') ?? '', ...more);
      },
    });
    content.set(topic, pieces.join('\n'));
  }
  return content;
}

/** All rows of all tables of the namespace, as JSON. */
async function everyRow({ prefix }: Namespace): Promise<string> {
  const schema = schemaName(prefix);
  return withDatabase(async (client) => {
    const tables = await client.query<{ name: string }>(
      'select table_name as name from information_schema.tables where table_schema = $1',
      [schema],
    );
    assert.ok(tables.rows.length > 8, `${tables.rows.length} tables`);
    const pieces: string[] = [];
    for (const { name } of tables.rows) {
      const rows = await client.query(
        `select row_to_json(t) as row from ${quoted(schema)}.${quoted(name)} t`,
      );
      pieces.push(JSON.stringify(rows.rows));
    }
    return pieces.join('\n');
  });
}

async function projected({ prefix }: Namespace, missions: readonly string[]): Promise<void> {
  const sql = `select count(*)::int as count from ${quoted(schemaName(prefix))}.missions where mission_id = any($1) and ended_at is not null`;
  await withDatabase(async (client) => {
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(100)) {
      const { rows } = await client.query<{ count: number }>(sql, [missions]);
      if (rows[0]?.count === missions.length) return;
    }
    assert.fail('the missions were not projected in 30 s');
  });
}

async function withDatabase<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(process.env['DATABASE_URL']);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
