/**
 * What every test that crosses a broker shares: the stack that `npm test` started, a namespace of its own, real
 * services as child processes, and the facts of the ledger as they come.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { applyTopics } from '#chassis/admin.ts';
import { readConfig } from '#chassis/config.ts';
import { Failure } from '#chassis/failures.ts';
import { silenceKafkajsWarnings } from '#chassis/kafka.ts';
import { openLog } from '#chassis/log.ts';
import { newMissionTraceparent } from '#chassis/mission-trace.ts';
import { readTopic } from '#chassis/reader.ts';
import { openContext } from '#chassis/service.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import { topicOffsets } from '#chassis/topic-offsets.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { isFact } from '#orchestrator/facts.ts';
import { writeHistory } from '#orchestrator/golden/history.ts';
import { recordHistory } from '#orchestrator/golden/record.ts';
import { quoted, schemaName } from '#projector/schema-name.ts';
import { missionCommand } from '#schemas/mission-command.ts';
import { registerAll } from '#schemas/register.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, MissionCommand, PayloadOf, TaskSpec } from '#schemas/types.gen.ts';
import { missionsSubject, topicNames, topicTable } from '#topics/table.ts';
import { directoryName } from '#worker/workspace.ts';

const root = resolve(import.meta.dirname, '..');

export interface Namespace {
  readonly prefix: string;
  readonly context: ServiceContext;
  /** Environment of the services of this namespace. */
  readonly env: NodeJS.ProcessEnv;
  /** A folder of this test, deleted after it: workspaces, logs, roles. */
  readonly folder: string;
  readonly facts: Facts;
  /** A file in the workspace of a mission: commands in a sandbox write nowhere else. */
  file(mission: string, name: string): string;
  start(service: ServiceName, options?: StartOptions): Promise<Running>;
  /** Runs before the services are stopped: hooks of node:test run in the order in which they were registered. */
  beforeClose(run: () => Promise<void>): void;
  /** Gives the mission's id; it is the root of a trace, as one that the command line submits. */
  submit(mission: Partial<MissionCommand>): Promise<string>;
  /** Any command, as it is. */
  command(command: Partial<MissionCommand>): Promise<void>;
  /** A mission as rpk writes it: no key, no id. */
  submitKeyless(mission: Partial<MissionCommand>, partition: number): Promise<void>;
}

export type ServiceName = 'orchestrator' | 'correlator' | 'worker' | 'projector' | 'statistics' | 'retrier';

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Wait until it is ready; true unless told. */
  readonly wait?: boolean;
}

export interface Running {
  readonly pid: number;
  readonly log: string;
  readonly exited: Promise<number | null>;
  signal(name: NodeJS.Signals): void;
  ready(): Promise<void>;
  /** What `/ready` answers. */
  readiness(): Promise<string>;
  metrics(): Promise<string>;
  /** SIGTERM, and an end within the deadline. */
  stop(): Promise<void>;
}

/** Makes a namespace with topics for these roles, and undoes it after the test. */
export async function openNamespace(
  t: TestContext,
  options: {
    readonly roles: readonly string[];
    /** The whole text of the files of some of them; the others run scripts and shell commands. */
    readonly roleFiles?: Readonly<Record<string, string>>;
    readonly partitions?: number;
  },
): Promise<Namespace> {
  for (const name of ['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL', 'DATABASE_URL']) {
    if (process.env[name] === undefined)
      throw new Error(`${name} is not set: run this through npm run test:integration`);
  }
  const prefix = `t${randomBytes(4).toString('hex')}`;
  const folder = mkdtempSync(join(tmpdir(), `ravenhelm-${prefix}-`));
  const rolesFolder = join(folder, 'roles');
  writeRoles(rolesFolder, options.roles, options.roleFiles ?? {});
  const env = {
    ...process.env,
    RAVENHELM_PREFIX: prefix,
    RAVENHELM_ROLES: rolesFolder,
    RAVENHELM_WORKSPACES: join(folder, 'workspaces'),
    RAVENHELM_PARTITIONS: String(options.partitions ?? 2),
    LOG_LEVEL: 'info',
  };
  const config = readConfig(env);
  silenceKafkajsWarnings();
  const log = openLog('test', 'warn');
  const topics = topicNames(prefix);
  const signal = AbortSignal.timeout(60_000);
  await registerAll({ url: config.SCHEMA_REGISTRY_URL, missionsSubject: `${topics.missions}-value`, signal });
  const context = await openContext(`test-${prefix}`, config, log, (failure) => {
    throw failure;
  });
  const table = topicTable({
    prefix,
    roles: [...options.roles],
    partitions: options.partitions ?? 2,
    replication: 1,
  });
  await applyTopics(context.admin, table, signal);
  // A partition of a new topic has no leader for a moment, and a transaction that meets it has to be made again.
  await Promise.all(table.map(({ name }) => topicOffsets(context.admin, name)));
  const facts = new Facts(context);
  const running: Running[] = [];
  const closers: (() => Promise<void>)[] = [];

  t.after(async () => {
    for (const close of closers) await close();
    await Promise.all(running.map((service) => service.stop()));
    await facts.close();
    await record(t, context);
    await context.publisher.close(1000);
    await context.admin.deleteTopics({ topics: table.map(({ name }) => name) }).catch(() => undefined);
    await context.admin.disconnect();
    await dropSchemas(prefix);
    if (process.env['RAVENHELM_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true });
  });

  return {
    prefix,
    context,
    env,
    folder,
    facts,
    file: (mission, name) => join(folder, 'workspaces', directoryName(mission), name),
    beforeClose: (run) => void closers.push(run),
    async start(service, start = {}) {
      const child = await startService(
        service,
        { ...env, ...start.env },
        start.args ?? [],
        folder,
        running.length,
      );
      running.push(child);
      if (start.wait !== false) await child.ready();
      return child;
    },
    async submit(mission) {
      const mission_id = mission.correlation_id ?? `m-${randomBytes(6).toString('hex')}`;
      const value = context.codec.encodeRecord(
        'MissionCommand',
        missionCommand({ ...mission, correlation_id: mission_id }),
      );
      const headers = { traceparent: newMissionTraceparent(mission_id) };
      await context.publisher.send(topics.missions, [{ key: mission_id, value, headers }]);
      return mission_id;
    },
    async command(command) {
      const value = context.codec.encodeRecord('MissionCommand', missionCommand(command));
      await context.publisher.send(topics.missions, [{ key: command.correlation_id ?? '', value }]);
    },
    async submitKeyless(mission, partition) {
      const value = context.codec.encodeRecord('MissionCommand', missionCommand(mission));
      await context.publisher.send(topics.missions, [{ key: '', value, partition }]);
    },
  };
}

/** For golden histories: RAVENHELM_RECORD names a folder for what tests leave in the ledger. */
async function record(t: TestContext, { kafka, codec, topics, config }: ServiceContext): Promise<void> {
  const folder = process.env['RAVENHELM_RECORD'];
  if (folder === undefined) return;
  const { RAVENHELM_PREFIX: prefix, SCHEMA_REGISTRY_URL: registry } = config;
  const signal = AbortSignal.timeout(60_000);
  const history = await recordHistory({ kafka, codec, topics, prefix, registry }, signal);
  const name = `${basename(t.filePath ?? '', '.test.ts')}-${prefix}.jsonl.gz`;
  if (history.records.length > 0) writeHistory(join(folder, name), history);
}

/** What the namespace left in the database and in the registry. */
async function dropSchemas(prefix: string): Promise<void> {
  const client = new pg.Client(process.env['DATABASE_URL']);
  await client.connect();
  await client.query(`drop schema if exists ${quoted(schemaName(prefix))} cascade`);
  await client.end();
  const registry = process.env['SCHEMA_REGISTRY_URL'] ?? '';
  await fetch(`${registry}/subjects/${missionsSubject(prefix)}`, { method: 'DELETE' });
}

/** A task that runs shell commands, each an idempotent tool call unless said otherwise. */
export function scriptedTask(
  task: Partial<TaskSpec> & { readonly id: string; readonly role: string },
  commands: readonly { readonly command: string; readonly idempotent?: boolean }[] = [],
): TaskSpec {
  const calls = commands.map(({ command, idempotent = true }) => ({
    tool: 'execute_terminal_command',
    arguments: JSON.stringify({ command, idempotent }),
    allow_failure: false,
  }));
  return taskSpec({ script: { calls, answer: 'done' }, ...task });
}

/** The files of roles that Ravenhelm comes with, for `roleFiles`. */
export const realRoles = (...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, readFileSync(join(root, 'roles', `${name}.md`), 'utf8')]));

function writeRoles(folder: string, roles: readonly string[], files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const name of roles) {
    const given = files[name];
    if (given !== undefined) {
      writeFileSync(join(folder, `${name}.md`), given);
      continue;
    }
    const tools = '[execute_terminal_command, workspace_read, workspace_write, workspace_list]';
    const limits = '{ max_steps: 100, timeout_ms: 60000, concurrency: 64 }';
    const front = `name: ${name}\ndescription: a role of the tests\ntools: ${tools}\nlimits: ${limits}\nsandbox: { shell: true }`;
    writeFileSync(join(folder, `${name}.md`), `---\n${front}\n---\nDo what the task says.\n`);
  }
}

export function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** One process of a service, with its log in `folder`. */
export async function startService(
  service: ServiceName,
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  folder: string,
  number: number,
): Promise<Running> {
  const port = await freePort();
  const log = join(folder, `${service}-${number}.log`);
  const out = openSync(log, 'a');
  const child: ChildProcess = spawn(process.execPath, [join(root, 'services', service, 'main.ts'), ...args], {
    cwd: root,
    env: { ...env, HEALTH_PORT: String(port) },
    stdio: ['ignore', out, out],
  });
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    log,
    exited,
    signal: (name) => void child.kill(name),
    async ready() {
      const deadline = Date.now() + 60_000;
      while (Date.now() < deadline) {
        if (ended) throw new Error(`${service} ended while it started:\n${lastLines(log)}`);
        const answer = await fetch(`http://127.0.0.1:${port}/ready`).catch(() => null);
        if (answer?.ok === true) return;
        await sleep(50);
      }
      throw new Error(`${service} was not ready in 60 s:\n${lastLines(log)}`);
    },
    async readiness() {
      return (await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(5000) })).text();
    },
    async metrics() {
      const signal = AbortSignal.timeout(5000);
      return (await fetch(`http://127.0.0.1:${port}/metrics`, { signal })).text();
    },
    async stop() {
      if (ended) return;
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await exited;
      clearTimeout(late);
    },
  };
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').split('\n').slice(-30).join('\n');
}

export interface LedgerFact {
  readonly event: FactEvent;
  readonly bytes: Buffer;
  readonly partition: number;
  readonly offset: number;
}

/** The ledger as it is written: read once from its beginning, awaited by what is wanted of it. */
export class Facts {
  readonly all: LedgerFact[] = [];
  private readonly context: ServiceContext;
  private readonly stop = new AbortController();
  private waiting: { readonly look: () => boolean; readonly found: () => void }[] = [];
  private reading: Promise<void> | null = null;

  constructor(context: ServiceContext) {
    this.context = context;
  }

  private follow(): void {
    const { kafka, topics, config, codec } = this.context;
    this.reading ??= readTopic({
      kafka,
      topic: topics.coordination,
      prefix: config.RAVENHELM_PREFIX,
      until: 'follow',
      signal: this.stop.signal,
      each: ({ message, partition, offset }) => {
        if (message.value === null) return;
        const { value } = codec.decode(message.value);
        if (!('event_type' in value) || value.event_type === 'mission_submitted') return;
        const event = value as FactEvent;
        if (!isFact(event)) return;
        this.all.push({ event, bytes: message.value, partition, offset });
        this.waiting = this.waiting.filter(({ look, found }) => {
          if (!look()) return true;
          found();
          return false;
        });
      },
    });
  }

  of(mission_id: string): FactEvent[] {
    return this.all.map(({ event }) => event).filter((event) => event.correlation_id === mission_id);
  }

  /** Waits until `look` says yes; fails after the deadline with what there is. */
  async until(look: (facts: Facts) => boolean, what: string, deadlineMs = 60_000): Promise<void> {
    this.follow();
    if (look(this)) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((found, failed) => {
      this.waiting.push({ look: () => look(this), found });
      timer = setTimeout(() => {
        const last = this.all
          .slice(-10)
          .map(({ event }) => `${event.correlation_id} ${event.sequence} ${event.event_type}`);
        failed(
          new Failure(
            'deadline_exceeded',
            `no ${what} in ${deadlineMs} ms; the last facts:\n${last.join('\n')}`,
          ),
        );
      }, deadlineMs);
    }).finally(() => clearTimeout(timer));
  }

  /** The last fact of a mission. */
  async end(mission_id: string, deadlineMs = 60_000): Promise<FactEvent> {
    const isEnd = (event: FactEvent) =>
      ['mission_completed', 'mission_failed', 'mission_cancelled', 'mission_rejected'].includes(
        event.event_type,
      );
    await this.until((facts) => facts.of(mission_id).some(isEnd), `end of mission ${mission_id}`, deadlineMs);
    const end = this.of(mission_id).find(isEnd);
    if (end === undefined) throw new Error('unreachable');
    return end;
  }

  /** The newest review of a mission that nobody has answered. */
  async review(mission_id: string, deadlineMs = 60_000): Promise<PayloadOf<'review_requested'>> {
    const open = () => {
      const facts = this.of(mission_id);
      const answered = new Set(
        facts.map((fact) => (fact.event_type === 'review_completed' ? fact.payload.review_id : '')),
      );
      return facts.findLast(
        (fact): fact is EventOf<'review_requested'> =>
          fact.event_type === 'review_requested' && !answered.has(fact.payload.review_id),
      );
    };
    await this.until(() => open() !== undefined, `review of mission ${mission_id}`, deadlineMs);
    const review = open();
    if (review === undefined) throw new Error('unreachable');
    return review.payload;
  }

  async close(): Promise<void> {
    this.stop.abort();
    await this.reading;
  }
}
