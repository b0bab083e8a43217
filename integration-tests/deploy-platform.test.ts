/** The example mission, its commands run for real through the agent loop, in the order of the plan. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Failure } from '#chassis/failures.ts';
import { parseMission } from '#missions/load.ts';
import { loadRoles } from '#roles/load.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { decodeStep, Log, rehearsalCodec, rehearse } from '#worker/rehearsal.ts';

const file = join(import.meta.dirname, '../missions/deploy-platform.yaml');
const { tasks } = parseMission(readFileSync(file, 'utf8'), file, { roles: loadRoles() });
const codec = rehearsalCodec();

let folder: string;
let whole: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravenhelm-deploy-'));
  whole = join(folder, 'whole');
});
after(() => rm(folder, { recursive: true }));

/** Gives the result, or the failure's message after "failed: ", and the time that its tools took. */
async function perform(task: TaskSpec, workspaces: string): Promise<{ said: string; toolMs: number }> {
  assert.ok(task.script, `${task.id} has a script`);
  const log = new Log();
  const said = await rehearse({ log, lease: 1, workspaces, script: task.script }).then(
    ({ result }) => result,
    (error: unknown) => {
      assert.ok(error instanceof Failure && error.code === 'tool_failed', String(error));
      return `failed: ${error.message}`;
    },
  );
  const steps = log.records.map(({ value }) => decodeStep(codec, value).event);
  const toolMs = steps.reduce(
    (sum, step) => sum + (step.event_type === 'tool_call_ended' ? step.payload.duration_ms : 0),
    0,
  );
  return { said, toolMs };
}

test('all commands are marked as safe to run again', () => {
  for (const { id, script } of tasks) {
    for (const call of script?.calls ?? []) {
      if (call.tool !== 'execute_terminal_command') continue;
      assert.equal((JSON.parse(call.arguments) as { idempotent?: boolean }).idempotent, true, id);
    }
  }
});

test('twelve agents deploy the platform, and the last one finds it so', async (context) => {
  let toolMs = 0;
  for (const task of tasks) {
    const done = await perform(task, whole);
    assert.doesNotMatch(done.said, /^failed/, task.id);
    assert.notEqual(done.said, '', task.id);
    toolMs += done.toolMs;
  }
  context.diagnostic(`tools took ${toolMs} ms`);
  const report = await readFile(join(whole, 'mission/hlidskjalf/report.md'), 'utf8');
  assert.equal(report.match(/^- \[x\] /gm)?.length, 11);
});

test('run again, it gives the same, and keeps the secrets', async () => {
  const secret = () => readFile(join(whole, 'mission/secrets/session.secret'), 'utf8');
  const before = await secret();
  for (const task of tasks) assert.doesNotMatch((await perform(task, whole)).said, /^failed/, task.id);
  assert.equal(await secret(), before);
});

test('with one task left out, the last one fails and names it', async () => {
  const workspaces = join(folder, 'without-events');
  let said = '';
  for (const task of tasks) {
    if (task.role !== 'events_agent') ({ said } = await perform(task, workspaces));
  }
  assert.match(said, /^failed: .*exit code 1: .*- \[ \] events_agent/s);
});

/** What is gone when an agent has not done its work. */
const works: Readonly<Record<string, string>> = {
  cert_agent: 'certs/server.crt',
  env_agent: 'config',
  database_agent: 'database/platform.db',
  proxy_agent: 'proxy',
  cache_agent: 'cache',
  secrets_agent: 'secrets',
  events_agent: 'events',
  observability_agent: 'observability/dashboard.json',
  docker_agent: 'docker-compose.yml',
  rag_agent: 'rag/index.json',
  graph_agent: 'graph/graph.mmd',
};

test('the last agent misses the work of each of the others', async () => {
  const last = tasks.at(-1);
  assert.ok(last);
  assert.deepEqual(
    Object.keys(works),
    tasks.slice(0, -1).map((task) => task.role),
  );
  for (const [role, work] of Object.entries(works)) {
    const workspaces = join(folder, role);
    await cp(whole, workspaces, { recursive: true });
    await stat(join(workspaces, 'mission', work));
    await rm(join(workspaces, 'mission', work), { recursive: true });
    const { said } = await perform(last, workspaces);
    assert.match(said, new RegExp(`^failed: .*- \\[ \\] ${role}`, 's'));
  }
});
