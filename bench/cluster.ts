import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { applyTopics } from '#chassis/admin.ts';
import { readConfig } from '#chassis/config.ts';
import { Failure } from '#chassis/failures.ts';
import { silenceKafkajsWarnings } from '#chassis/kafka.ts';
import { openLog } from '#chassis/log.ts';
import { openContext } from '#chassis/service.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import { registerAll } from '#schemas/register.ts';
import { topicNames, topicTable } from '#topics/table.ts';

const root = resolve(import.meta.dirname, '..');

/** One orchestrator and one worker, as processes of their own, in a namespace of their own. */
export interface Cluster {
  readonly context: ServiceContext;
  readonly pids: { readonly orchestrator: number; readonly worker: number };
  close(): Promise<void>;
}

const doesNothing = `---
name: bench
description: does nothing, to measure all that is around it
tools: []
limits: { max_steps: 10, timeout_ms: 60000, concurrency: 10000 }
---
Do nothing.
`;

export async function startCluster(
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  role = doesNothing,
): Promise<Cluster> {
  const prefix = `bench-${randomBytes(3).toString('hex')}`;
  const folder = mkdtempSync(join(tmpdir(), 'ravenhelm-bench-'));
  mkdirSync(join(folder, 'roles'));
  writeFileSync(join(folder, 'roles', 'bench.md'), role);
  const settings = {
    ...env,
    RAVENHELM_PREFIX: prefix,
    RAVENHELM_ROLES: join(folder, 'roles'),
    RAVENHELM_WORKSPACES: join(folder, 'workspaces'),
    RAVENHELM_PARTITIONS: '1',
    MAX_WORKERS_PER_ROLE: '10000',
    LOG_LEVEL: 'warn',
  };
  const config = readConfig(settings);
  silenceKafkajsWarnings();
  const topics = topicNames(prefix);
  await registerAll({ url: config.SCHEMA_REGISTRY_URL, missionsSubject: `${topics.missions}-value`, signal });
  const context = await openContext('bench', config, openLog('bench', 'warn'), (failure) => {
    throw failure;
  });
  const table = topicTable({ prefix, roles: ['bench'], partitions: 1 });
  await applyTopics(context.admin, table, signal);
  const [orchestrator, worker] = await Promise.all([
    startService('orchestrator', settings, folder, signal),
    startService('worker', settings, folder, signal),
  ]);
  return {
    context,
    pids: { orchestrator: orchestrator.pid, worker: worker.pid },
    async close() {
      await Promise.all([orchestrator.stop(), worker.stop()]);
      await context.publisher.close(1000);
      await context.admin.deleteTopics({ topics: table.map(({ name }) => name) });
      await context.admin.disconnect();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startService(name: string, env: NodeJS.ProcessEnv, folder: string, signal: AbortSignal) {
  const port = await freePort();
  const log = join(folder, `${name}.log`);
  const out = openSync(log, 'a');
  const child = spawn(process.execPath, [join(root, 'services', name, 'main.ts')], {
    cwd: root,
    env: { ...env, HEALTH_PORT: String(port) },
    stdio: ['ignore', out, out],
  });
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  for (;;) {
    signal.throwIfAborted();
    if (child.exitCode !== null) {
      throw new Failure(
        'consumer_crashed',
        `${name} ended while it started:\n${readFileSync(log, 'utf8').slice(-2000)}`,
      );
    }
    const ready = await fetch(`http://127.0.0.1:${port}/ready`).catch(() => null);
    if (ready?.ok === true) break;
    await sleep(50);
  }
  return {
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
