/** What the worker does with the tasks it holds, seen in what it asks to be published. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outgoing } from '#chassis/outbox.ts';
import { scrubber } from '#chassis/secrets.ts';
import { heuristicPlanner } from '#orchestrator/planning.ts';
import { loadRoles } from '#roles/load.ts';
import type { EventOf, Script } from '#schemas/types.gen.ts';
import { instant, Lease, systemClock } from './lease.ts';
import { openModels } from './models/open-models.ts';
import { decodeStep, rehearsalCodec } from './rehearsal.ts';
import type { EndReport } from './report.ts';
import type { Claim, WorkerParts } from './run-task.ts';
import { Runners } from './runners.ts';

const codec = rehearsalCodec();
// No test here may ask a real model.
const roles = new Map([...loadRoles()].map(([name, role]) => [name, { ...role, model: null }]));
let workspaces: string;
before(async () => {
  workspaces = await mkdtemp(join(tmpdir(), 'ravenhelm-runners-'));
});
after(() => rm(workspaces, { recursive: true }));

type Report = EventOf<EndReport['event_type'] | 'task_heartbeat'>;

/** The parts of a worker, with everything it publishes kept; `answers` decides what becomes of a send. */
function worker(answers: (topic: string) => Promise<void> = () => Promise.resolve(), clock = systemClock) {
  const published: { topic: string; record: Outgoing }[] = [];
  const complaints: unknown[] = [];
  const parts: WorkerParts = {
    agent: 'agent-1',
    roles,
    models: openModels({}, { info() {}, warn() {} }),
    codec,
    workspaces,
    clock,
    topics: { steps: 'steps', reports: 'reports' },
    publisher: {
      async send(topic, records) {
        await answers(topic);
        for (const record of records) published.push({ topic, record });
        return [];
      },
    },
    readJournal: ({ partition, offset }) => {
      assert.deepEqual([partition, offset], [3, 0]);
      return Promise.resolve(
        published
          .filter(({ topic }) => topic === 'steps')
          .map(({ record }) => decodeStep(codec, record.value as Buffer)),
      );
    },
    scrubber: scrubber([]),
    log: {
      info() {},
      warn() {},
      error: (context: unknown) => void complaints.push(context),
    } as WorkerParts['log'],
  };
  const reports = () =>
    published
      .filter(({ topic }) => topic === 'reports')
      .map(({ record }) => codec.decode(record.value as Buffer).value as Report);
  const ends = () => reports().filter((report) => report.event_type !== 'task_heartbeat');
  return { runners: new Runners(parts), parts, published, reports, ends, complaints };
}

/** A clock that the test moves on; it goes by itself, too. */
function movedClock() {
  let moved = 0;
  const clock = { now: () => Date.now() + moved, monotonic: () => performance.now() + moved };
  return { clock, pass: (ms: number) => void (moved += ms) };
}

function claim(script: Script | null, changes: Partial<Claim['assignment']['payload']> = {}): Claim {
  const payload = {
    task_id: 't',
    role: 'cert_agent',
    wave: 1,
    attempt: 1,
    lease: 1,
    description: 'Do it.',
    script,
    needs: [],
    timeout_ms: 10_000,
    lease_ms: 10_000,
    journal_partition: -1,
    journal_offset: -1,
    kind: '',
    model: '',
    cheaper: false,
    budget: null,
    roles: [],
    answers: [],
    mission: '',
    context: '',
    compensates: '',
    agents: 0,
    ...changes,
  };
  return {
    assignment: {
      event_id: 'm:4',
      event_type: 'task_assigned',
      source_agent: 'orchestrator',
      target_agent: 'cert_agent',
      timestamp: 0,
      version: 1,
      correlation_id: 'm',
      causation_id: 'r',
      priority: 'high',
      sequence: 4,
      previous_hash: '',
      payload,
    },
    journalPartition: 3,
    claimedAt: instant(systemClock),
    traceparent: null,
  };
}

const run = (command: string, idempotent = false): Script => ({
  calls: [
    {
      tool: 'execute_terminal_command',
      arguments: JSON.stringify({ command, idempotent }),
      allow_failure: false,
    },
  ],
  answer: '',
});

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    assert.ok(tries < 500, 'waited too long');
    await sleep(10);
  }
}
const idle = (runners: Runners) => until(() => runners.size === 0);

// Most of the time of these tests is waiting, so they wait together.
describe('runners', { concurrency: true }, () => {
  test('a task ends with a report that names its journal', async () => {
    const { runners, ends, published } = worker();
    assert.ok(runners.start(claim(run('echo 1'))));
    assert.equal(runners.start(claim(run('echo 1'))), false, 'the same assignment twice');
    await idle(runners);
    const [end, ...more] = ends();
    assert.deepEqual(more, []);
    assert.ok(end?.event_type === 'task_completed');
    assert.deepEqual(
      [end.source_agent, end.correlation_id, end.causation_id, end.priority],
      ['cert_agent', 'm', 'm:4', 'high'],
    );
    assert.deepEqual([end.payload.result, end.payload.steps, end.payload.agent], ['1', 3, 'agent-1']);
    assert.match(end.payload.journal_hash, /^[0-9a-f]{64}$/);
    const steps = published.filter(({ topic }) => topic === 'steps').map(({ record }) => record);
    assert.equal(steps.length, 6);
    assert.ok(steps.every(({ key, partition }) => key === 'm/t' && partition === 3));
  });

  test('a planning that asks no model is answered at once, with nothing in the journal', async () => {
    const { runners, ends, published } = worker();
    const asked = { kind: 'plan', model: heuristicPlanner, roles: ['researcher', 'analyst'], agents: 4 };
    assert.ok(runners.start(claim(null, asked)));
    await idle(runners);
    const [end] = ends();
    assert.ok(end?.event_type === 'task_completed');
    assert.equal((JSON.parse(end.payload.result) as { tasks: unknown[] }).tasks.length, 4);
    const { steps, journal_hash, usage } = end.payload;
    assert.deepEqual([steps, journal_hash, usage.calls, published.length], [0, '', 0, 1]);
  });

  for (const [what, task, code, message] of [
    ['no script and no model', claim(null), 'model_not_configured', /Set `script` in the task/],
    [
      'a role that does not exist',
      claim(run('true'), { role: 'nobody' }),
      'role_unknown',
      /found role nobody/,
    ],
    ['a failed command', claim(run('exit 4')), 'tool_failed', /exit code 4/],
    ['a timeout', claim(run('sleep 60'), { timeout_ms: 200 }), 'timeout', /200 ms/],
  ] as const) {
    test(`${what} fails the attempt: ${code}`, async () => {
      const { runners, ends } = worker();
      runners.start({ ...task, claimedAt: instant(systemClock) });
      await idle(runners);
      const [end] = ends();
      assert.ok(end?.event_type === 'task_attempt_failed');
      assert.equal(end.payload.code, code);
      assert.match(end.payload.message, message);
    });
  }

  test('a cancelled task stops and reports nothing', async () => {
    const { runners, published, ends } = worker();
    runners.start(claim(run('sleep 60')));
    await until(() => published.length >= 3);
    assert.equal(runners.cancel('m', 't', 2), false);
    assert.ok(runners.cancel('m', 't', 1));
    await idle(runners);
    assert.deepEqual(ends(), []);
  });

  test('leases are renewed while a task runs', async () => {
    const { clock, pass } = movedClock();
    const { runners, reports } = worker(() => Promise.resolve(), clock);
    runners.start(claim(run('until test -e renewed; do sleep 0.02; done'), { lease_ms: 10_000 }));
    const renewed = () => reports().filter((report) => report.event_type === 'task_heartbeat').length;
    for (const times of [1, 2]) {
      pass(3_500);
      await until(() => renewed() === times);
    }
    await writeFile(join(workspaces, 'm', 'renewed'), '');
    await idle(runners);
    const types = reports().map((report) => report.event_type);
    assert.deepEqual(new Set(types.slice(2)), new Set(['task_completed']));
    assert.equal(new Set(reports().map((report) => report.event_id)).size, types.length);
  });

  test('a lease that cannot be renewed is given up in time, without a report', async () => {
    let asked = 0;
    const { clock, pass } = movedClock();
    const { runners, ends } = worker((topic) => {
      if (topic !== 'reports') return Promise.resolve();
      asked++;
      return new Promise(() => {});
    }, clock);
    runners.start(claim(run('sleep 60'), { lease_ms: 10_000 }));
    pass(3_500);
    await until(() => asked === 1);
    pass(4_500);
    await idle(runners);
    assert.deepEqual(ends(), []);
    assert.equal(asked, 1, 'one renewal at a time');
  });

  test('a worker that was asleep gives up before its next effect', async () => {
    let asleep = 0;
    const clock = { now: () => Date.now() + asleep, monotonic: () => performance.now() };
    const { runners, published, ends } = worker(() => Promise.resolve(), clock);
    runners.start(
      claim({ calls: [...run('sleep 0.2').calls, ...run('echo late > late').calls], answer: '' }),
    );
    await until(() => published.length >= 3);
    asleep = 15_000;
    await idle(runners);
    assert.deepEqual(ends(), []);
    await assert.rejects(readFile(join(workspaces, 'm', 'late')));
  });

  test('draining waits, then gives leases back; the next owner goes on where it stopped', async () => {
    const { runners, ends, published } = worker();
    const script = {
      calls: [
        ...run('echo one >> drained').calls,
        ...run('test -f go || sleep 60', true).calls,
        ...run('echo three >> drained').calls,
      ],
      answer: 'ok',
    };
    runners.start(claim(script, { task_id: 'slow' }));
    runners.start(claim(run('until test -e drains; do sleep 0.02; done'), { task_id: 'quick' }));
    await until(() => published.filter(({ topic }) => topic === 'steps').length >= 10);
    const drained = runners.drain(1500);
    await writeFile(join(workspaces, 'm', 'drains'), '');
    await drained;
    assert.equal(runners.size, 0);
    assert.equal(runners.start(claim(script)), false);
    const how = new Map(ends().map((end) => [end.payload.task_id, end.event_type]));
    assert.deepEqual(
      how,
      new Map([
        ['quick', 'task_completed'],
        ['slow', 'task_released'],
      ]),
    );

    const next = worker();
    next.published.push(...published.filter(({ topic }) => topic === 'steps'));
    await rm(join(workspaces, 'm', 'go'), { force: true });
    const go = claim(
      { ...script, calls: script.calls },
      { task_id: 'slow', lease: 2, journal_partition: 3, journal_offset: 0 },
    );
    next.runners.start(claim(run('touch go'), { task_id: 'other' }));
    await idle(next.runners);
    next.runners.start(go);
    await idle(next.runners);
    assert.equal(
      next.ends().at(-1)?.event_type,
      'task_completed',
      JSON.stringify(next.ends().at(-1)?.payload),
    );
    assert.equal(await readFile(join(workspaces, 'm', 'drained'), 'utf8'), 'one\nthree\n');
  });

  test('a report is sent again until it is taken', async () => {
    let refused = 0;
    const { runners, ends } = worker((topic) =>
      topic === 'reports' && refused++ < 2 ? Promise.reject(new Error('no broker')) : Promise.resolve(),
    );
    runners.start(claim(run('true')));
    await idle(runners);
    assert.equal(refused, 3);
    assert.equal(ends().length, 1);
  });

  test('an effect whose outcome could not be journaled is not tried again', async () => {
    let sends = 0;
    const { runners, ends } = worker((topic) =>
      topic === 'steps' && ++sends > 1 ? Promise.reject(new Error('full')) : Promise.resolve(),
    );
    runners.start(claim(run('true')));
    await idle(runners);
    const [end] = ends();
    assert.ok(end?.event_type === 'task_attempt_failed');
    assert.equal(end.payload.code, 'outcome_unknown');
  });

  test('a lease counts from when its renewal was sent, and ends before its time', () => {
    let at = 0;
    const clock = { now: () => 1_000 + at, monotonic: () => at };
    const lease = new Lease(10_000, instant(clock), clock);
    at = 3_400;
    assert.deepEqual([lease.due, lease.lost], [true, false]);
    const sent = instant(clock);
    at = 7_900;
    lease.guard();
    at = 8_000;
    assert.throws(() => lease.guard(), { code: 'lease_lost' });
    lease.renewed(sent);
    assert.equal(lease.age, 4_600);
    lease.guard();
  });
});

// Alone: a command that tidies up has a second for it, which other commands of this file would take from it.
test('a newer lease of the same task waits until the older one has let go', async () => {
  const { runners, ends } = worker();
  const first = 'trap "sleep 0.1; rm busy; exit" TERM; touch second busy; while :; do sleep 0.02; done';
  const script = run(`if test -e second; then test ! -e busy; else ${first}; fi`, true);
  runners.start(claim(script, { task_id: 'twice' }));
  await until(() => existsSync(join(workspaces, 'm', 'busy')));
  const changes = { task_id: 'twice', lease: 2, journal_partition: 3, journal_offset: 0 };
  assert.ok(runners.start(claim(script, changes)));
  assert.equal(runners.size, 1);
  await idle(runners);
  const seen = ends().map((end) => [end.event_type, end.payload.lease]);
  assert.deepEqual(seen, [['task_completed', 2]]);
});
