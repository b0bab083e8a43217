/** The command line as a person has it: the real `ravenhelm`, in processes of its own, on a namespace of its own. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine, type Ended } from './command-line.ts';
import { type Namespace, openNamespace } from './harness.ts';

interface Service {
  readonly name: string;
  readonly pid: number | null;
  readonly state: string;
  readonly restarts: number;
}

const missionFile = (script: string): string => `
name: Command line
tasks:
  - { id: one, role: cert_agent, script: [{ run: "echo one > one.txt" }], answer: one is there }
  - { id: two, role: env_agent, needs: [one], max_attempts: 1, script: [{ run: ${JSON.stringify(script)} }], answer: two }
`;

describe('ravenhelm', { timeout: 180_000 }, () => {
  it('brings services up, runs missions, answers for them, and takes everything down', async (t) => {
    const namespace = await openNamespace(t, { roles: ['cert_agent', 'env_agent'] });
    try {
      await allCommands(t, namespace, commandLine(namespace));
    } finally {
      // Before the namespace's own end, which deletes the topics and the folder that services are in.
      await commandLine(namespace).ravenhelm(['down']);
    }
  });
});

async function allCommands(
  t: TestContext,
  namespace: Namespace,
  { start, ravenhelm }: ReturnType<typeof commandLine>,
): Promise<void> {
  const good = join(namespace.folder, 'good.yaml');
  const bad = join(namespace.folder, 'bad.yaml');
  writeFileSync(good, missionFile('cat one.txt'));
  writeFileSync(bad, missionFile('exit 7'));
  const services = async (): Promise<readonly Service[]> => {
    const { stdout } = await ravenhelm(['status', '--json']);
    return (JSON.parse(stdout) as { services: readonly Service[] }).services;
  };

  await t.test('brings services up, and finds them up the next time', async () => {
    const up = await ravenhelm(['up', '--json']);
    assert.equal(up.code, 0, up.stderr);
    const names = (await services()).map(({ name, state }) => `${name} ${state}`);
    const all = ['orchestrator', 'correlator', 'worker', 'projector', 'statistics', 'retrier'];
    assert.deepEqual(
      names,
      all.map((name) => `${name} ready`),
    );
    const again = await ravenhelm(['up']);
    assert.match(again.stdout, /^Everything was up already:/);
    const { stdout } = await ravenhelm(['status', '--json']);
    const status = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(Object.keys(status), ['brokers', 'registry', 'database', 'console', 'services']);
    assert.equal(status['brokers'], namespace.env['KAFKA_BROKERS']);
  });

  await t.test('runs a mission to its end, a line per fact', async () => {
    const run = await ravenhelm(['run', good, '--id', 'cli-good']);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^task_assigned \| orchestrator → cert_agent \| one$/m);
    assert.match(run.stdout, /^mission_completed \| orchestrator → person \| 2 tasks in /m);
    assert.match(run.stdout, /^Mission completed in /m);
  });

  await t.test('refuses an id that is known already, and says how to look at it', async () => {
    for (const command of ['run', 'submit']) {
      const again = await ravenhelm([command, good, '--id', 'cli-good']);
      assert.equal(again.code, 2, again.stdout);
      assert.match(
        again.stderr,
        /mission cli-good is known already \(completed\): `ravenhelm mission cli-good`/,
      );
    }
  });

  await t.test('cancels nothing that nobody has submitted', async () => {
    const cancelled = await ravenhelm(['cancel', 'cli-nobody']);
    assert.equal(cancelled.code, 2, cancelled.stdout);
    assert.match(cancelled.stderr, /^error not_found: nobody has submitted a mission cli-nobody/);
  });

  await t.test('cancels nothing that has ended', async () => {
    const cancelled = await ravenhelm(['cancel', 'cli-good']);
    assert.equal(cancelled.code, 2, cancelled.stdout);
    assert.match(cancelled.stderr, /mission cli-good has ended \(completed\): nothing is cancelled/);
  });

  await t.test('says plainly that nobody guards these brokers', async () => {
    const applied = await ravenhelm(['topics', 'acls', '--apply']);
    assert.equal(applied.code, 1, applied.stderr);
    assert.match(applied.stdout, /^Nothing is applied: the broker has no authorizer/);
  });

  await t.test('exits 1 when a mission fails, and says why', async () => {
    const run = await ravenhelm(['run', bad, '--id', 'cli-bad']);
    assert.equal(run.code, 1);
    assert.match(run.stdout, /two \(env_agent, attempt 1\) {2}tool_failed: .*exit code 7/);
  });

  await t.test('submits from standard input and prints the id alone', async () => {
    const submitted = await ravenhelm(['submit', '-'], missionFile('true'));
    assert.equal(submitted.code, 0, submitted.stderr);
    const id = submitted.stdout.trimEnd();
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const watched = await ravenhelm(['watch', id, '--json']);
    assert.equal(watched.code, 0, watched.stderr);
    const types = watched.stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event_type: string }).event_type);
    assert.deepEqual([types[0], types.at(-1)], ['mission_accepted', 'mission_completed']);
  });

  await t.test('leaves a mission running when it is interrupted, and cancels it when told to', async () => {
    const run = start(['run', '-', '--id', 'cli-slow'], missionFile('sleep 60'));
    await namespace.facts.until(
      (facts) => facts.of('cli-slow').some((fact) => fact.event_type === 'task_started'),
      'the mission runs',
    );
    run.interrupt();
    const ended = await run.ended;
    assert.equal(ended.code, 130);
    assert.match(ended.stderr, /ravenhelm watch cli-slow/);
    assert.equal(
      namespace.facts.of('cli-slow').some(({ event_type }) => event_type === 'mission_cancelled'),
      false,
    );
    assert.equal((await ravenhelm(['cancel', 'cli-slow', '--reason', 'enough'])).code, 0);
    const watched = await ravenhelm(['watch', 'cli-slow']);
    assert.equal(watched.code, 0);
    assert.match(watched.stdout, /^mission_cancelled \| orchestrator → person \| enough$/m);
  });

  await t.test('reads a mission from the ledger and from the tables', async () => {
    const events = await ravenhelm(['events', 'cli-good', '--json']);
    const facts = events.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { sequence: number });
    assert.deepEqual(
      facts.map(({ sequence }) => sequence),
      facts.map((_, index) => index + 1),
    );
    const detail = await untilProjected(() => ravenhelm(['mission', 'cli-bad', '--json']));
    assert.equal(detail.mission.status, 'failed');
    assert.deepEqual(
      detail.tasks.map(({ status }) => status),
      ['completed', 'failed'],
    );
    assert.equal((await ravenhelm(['events', 'nobody'])).code, 1);
  });

  await t.test('starts a killed service again', async () => {
    const worker = (await services()).find(({ name }) => name === 'worker');
    process.kill(worker?.pid ?? 0, 'SIGKILL');
    let now: Service | undefined;
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(100)) {
      now = (await services()).find(({ name }) => name === 'worker');
      if (now?.state === 'ready' && now.pid !== worker?.pid) break;
    }
    assert.equal(now?.state, 'ready');
    assert.equal(now?.restarts, 1);
    const run = await ravenhelm(['run', good]);
    assert.equal(run.code, 0, run.stdout + run.stderr);
  });

  await t.test('verifies the whole ledger, and names the offset where somebody added to it', async () => {
    const before = await ravenhelm(['verify', '--all', '--json']);
    assert.equal(before.code, 0, before.stdout);
    const { ok, journals } = JSON.parse(before.stdout) as { ok: boolean; journals: { checked: number } };
    assert.equal(ok, true);
    assert.ok(journals.checked >= 6, `${journals.checked} journals checked`);

    const last = namespace.facts.all.findLast(({ event }) => event.correlation_id === 'cli-good');
    assert.ok(last);
    const { coordination: topic } = namespace.context.topics;
    const [forged] = await namespace.context.publisher.send(topic, [
      { key: 'cli-good', value: last.bytes, partition: last.partition },
    ]);
    const after = await ravenhelm(['verify', '--all']);
    assert.equal(after.code, 1);
    const where = `sequence_repeat at partition ${last.partition} offset ${forged?.baseOffset}: mission cli-good`;
    assert.ok(after.stdout.startsWith(where), after.stdout);
  });

  await t.test('takes the services down and leaves nothing running', async () => {
    const before = await services();
    const down = await ravenhelm(['down']);
    assert.equal(down.code, 0, down.stderr);
    for (const { pid } of before) assert.throws(() => process.kill(pid ?? 0, 0), { code: 'ESRCH' });
    const states = (await services()).map(({ state, pid }) => ({ state, pid }));
    assert.deepEqual(
      states,
      before.map(() => ({ state: 'stopped', pid: null })),
    );
    const log = readFileSync(join(namespace.folder, 'home', 'logs', 'orchestrator.log'), 'utf8');
    assert.match(log, /"msg":"stopped"/);
  });
}

interface Detail {
  readonly mission: { readonly status: string };
  readonly tasks: readonly { readonly status: string }[];
}

/** The tables follow the ledger a moment behind. */
async function untilProjected(ask: () => Promise<Ended>): Promise<Detail> {
  for (const deadline = Date.now() + 20_000; ; await sleep(100)) {
    const { code, stdout, stderr } = await ask();
    if (code === 0) {
      const detail = JSON.parse(stdout) as Detail;
      if (detail.mission.status !== 'running') return detail;
    }
    if (Date.now() > deadline) throw new Error(`not projected: ${stdout}${stderr}`);
  }
}
