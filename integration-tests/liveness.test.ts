import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLog } from '#chassis/log.ts';
import { readTopic } from '#chassis/reader.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, RoleStatisticsPayload } from '#schemas/types.gen.ts';
import { supervise } from '#supervisor/supervisor.ts';
import { commandLine } from './command-line.ts';
import { type LedgerFact, type Namespace, openNamespace, scriptedTask } from './harness.ts';

interface AgentShown {
  readonly agent: string;
  readonly service: string;
  readonly state: string;
  readonly pid: number;
  readonly reason: string;
}

async function agents(space: Namespace): Promise<AgentShown[]> {
  const { code, stdout, stderr } = await commandLine(space).ravenhelm(['agents', '--json']);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as AgentShown[];
}

/** Asks until it is so, at most a minute. */
async function until<T>(ask: () => Promise<T>, so: (answer: T) => boolean, what: string): Promise<T> {
  for (const deadline = Date.now() + 60_000; ; await sleep(500)) {
    const answer = await ask();
    if (so(answer)) return answer;
    if (Date.now() > deadline) assert.fail(`not ${what}: ${JSON.stringify(answer)}`);
  }
}

test('a mission for a role that nobody runs says so, and goes on when somebody does', async (t) => {
  const space = await openNamespace(t, { roles: ['here', 'nowhere'] });
  const { facts } = space;
  await Promise.all([space.start('orchestrator'), space.start('worker', { args: ['--roles', 'here'] })]);
  const mission = await space.submit({
    tasks: [
      scriptedTask({ id: 'one', role: 'here' }),
      scriptedTask({ id: 'two', role: 'nowhere', needs: ['one'] }),
    ],
  });
  const said = () => facts.of(mission).filter(({ event_type }) => event_type === 'role_unavailable');
  await facts.until(() => said().length > 0, 'word that nobody runs the role');
  assert.deepEqual(said()[0]?.payload, { role: 'nowhere', tasks: ['two'], since: 0 });

  await space.start('worker', { args: ['--roles', 'nowhere'] });
  assert.equal((await facts.end(mission)).event_type, 'mission_completed');
  assert.equal(said().length, 1, 'it is said once');
});

test('an agent that is killed is lost, one that leaves is done, and missions hear that their role is gone', async (t) => {
  const space = await openNamespace(t, { roles: ['a'] });
  const { facts } = space;
  const [, victim] = await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const leaving = await space.start('worker');
  const stateOf = (pid: number, shown: readonly AgentShown[]) =>
    shown.find((each) => each.pid === pid)?.state;
  const ready = await until(
    () => agents(space),
    (shown) => [victim.pid, leaving.pid].every((pid) => stateOf(pid, shown) === 'idle'),
    'idle',
  );
  assert.deepEqual(ready.map(({ service }) => service).toSorted(), ['orchestrator', 'worker', 'worker']);

  await leaving.stop();
  victim.signal('SIGKILL');
  const mission = await space.submit({ tasks: [scriptedTask({ id: 'one', role: 'a' })] });
  await facts.until(
    () => facts.of(mission).some(({ event_type }) => event_type === 'role_unavailable'),
    'word that nobody runs the role',
  );
  const gone = await until(
    () => agents(space),
    (shown) => stateOf(victim.pid, shown) === 'lost',
    'lost',
  );
  assert.equal(stateOf(leaving.pid, gone), 'completed');
  await space.start('worker');
  assert.equal((await facts.end(mission)).event_type, 'mission_completed');
});

test('a service says that each of its roles can take work, once it can', async (t) => {
  const space = await openNamespace(t, { roles: ['a', 'b'] });
  await space.start('worker');
  const { kafka, topics, codec } = space.context;
  const found: string[] = [];
  await readTopic({
    ...{
      kafka,
      topic: topics.health,
      prefix: space.prefix,
      until: 'follow',
      signal: AbortSignal.timeout(30_000),
    },
    each({ message }) {
      const { name, value } = codec.decode(message.value ?? Buffer.alloc(0));
      if (name === 'ServiceReady') found.push(value.payload.role);
      return found.length < 2;
    },
  });
  assert.deepEqual(found.toSorted(), ['a', 'b']);
});

test('who cannot say that he ended is said to have failed, and to be given up', async (t) => {
  const space = await openNamespace(t, { roles: ['a'] });
  const main = join(import.meta.dirname, '..', 'services', 'worker', 'main.ts');
  const supervisor = await supervise({
    ...{ dir: space.folder, cwd: join(import.meta.dirname, '..'), env: space.env, settings: '' },
    services: [{ name: 'worker', kind: 'worker', main, args: [] }],
    log: openLog('supervisor', 'silent'),
    firstPort: 22_000 + (process.pid % 900),
    policy: { initialMs: 10, mostMs: 20, healthyMs: 600_000, budget: 1, windowMs: 600_000 },
  });
  space.beforeClose(() => supervisor.stop(20_000));
  const worker = () => supervisor.record().services[0];
  const killed: number[] = [];
  for (const _ of ['again', 'not again']) {
    const { pid } = await until(
      async () => worker() ?? assert.fail('no worker'),
      ({ state, pid: now }) => state === 'ready' && now !== null && !killed.includes(now),
      'ready',
    );
    assert.ok(pid !== null);
    killed.push(pid);
    process.kill(pid, 'SIGKILL');
  }
  const shown = await until(
    () => agents(space),
    (all) => killed.every((pid) => all.find((each) => each.pid === pid)?.state === 'failed'),
    'failed',
  );
  const reasons = killed.map((pid) => shown.find((each) => each.pid === pid)?.reason);
  assert.deepEqual(reasons, ['SIGKILL', 'SIGKILL; given up']);
  assert.equal(worker()?.state, 'given_up');
});

/** Statistics made of the ledger by counting its facts: no state is folded, and no code of the services is used. */
function recount(facts: readonly LedgerFact[]): Map<string, Record<string, number>> {
  const roles = new Map<string, Record<string, number>>();
  const tasks = new Map<string, { role: string; status: string; assignedAt: number }>();
  const add = (role: string, field: string, by = 1): void => {
    const figures = roles.get(role) ?? {};
    roles.set(role, { ...figures, [field]: (figures[field] ?? 0) + by });
  };
  const now: Readonly<Record<string, string>> = {
    ...{ task_assigned: 'assigned', task_started: 'running', task_completed: 'completed' },
    ...{ task_attempt_failed: 'waiting', task_failed: 'failed', task_cancelled: 'cancelled' },
  };
  for (const { event } of facts) {
    const mission = event.correlation_id;
    if (event.event_type === 'plan_created') {
      for (const { id, role } of event.payload.tasks)
        tasks.set(`${mission}/${id}`, { role, status: 'pending', assignedAt: 0 });
    }
    const status = now[event.event_type];
    if (!('task_id' in event.payload)) continue;
    const task = tasks.get(`${mission}/${event.payload.task_id}`);
    if (task === undefined) continue;
    if (event.event_type === 'task_assigned') task.assignedAt = event.timestamp;
    if (event.event_type === 'task_started') {
      add(task.role, 'queue_count');
      add(task.role, 'queue_ms', event.timestamp - task.assignedAt);
    }
    if (event.event_type === 'task_attempt_failed' || event.event_type === 'task_failed')
      add(task.role, 'attempts_failed');
    if (event.event_type === 'task_completed') {
      add(task.role, 'work_count');
      add(task.role, 'work_ms', event.payload.duration_ms);
    }
    if (event.event_type === 'timer_fired' && event.payload.timer === 'retry') task.status = 'pending';
    else if (status !== undefined) task.status = status;
  }
  for (const { role, status } of tasks.values()) add(role, status);
  return roles;
}

const figuresOf = (payload: RoleStatisticsPayload): Record<string, number> => {
  const { pending, assigned, running, waiting, completed, failed, cancelled, attempts_failed } = payload;
  const { queue, work } = payload;
  const all = {
    ...{ pending, assigned, running, waiting, completed, failed, cancelled, attempts_failed },
    ...{ queue_count: queue.count, queue_ms: queue.total_ms, work_count: work.count, work_ms: work.total_ms },
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0));
};

test('the statistics of roles are those of the ledger, whatever is killed meanwhile', async (t) => {
  const space = await openNamespace(t, { roles: ['a', 'b', 'nowhere'], partitions: 2 });
  const { facts } = space;
  const [, , first] = await Promise.all([
    space.start('orchestrator'),
    space.start('worker', { args: ['--roles', 'a,b'] }),
    space.start('statistics'),
  ]);
  const wave = (count: number, of: string) =>
    Array.from({ length: count }, (_, i) => scriptedTask({ id: `${of}${i}`, role: of }));
  const failing = taskSpec({
    ...{ id: 'bad', role: 'b', max_attempts: 2 },
    script: {
      calls: [{ tool: 'execute_terminal_command', arguments: '{"command":"exit 3"}', allow_failure: false }],
      answer: '',
    },
  });
  const missions = await Promise.all([
    ...Array.from({ length: 6 }, () => space.submit({ tasks: [...wave(5, 'a'), ...wave(3, 'b')] })),
    space.submit({ on_failure: 'continue', tasks: [...wave(2, 'a'), failing] }),
  ]);
  const waiting = await space.submit({
    tasks: [...wave(2, 'a'), scriptedTask({ id: 'x', role: 'nowhere' })],
  });
  await facts.until(() => facts.all.length > 60, 'facts');
  first.signal('SIGKILL');
  await space.start('statistics');
  await Promise.all(missions.map((id) => facts.end(id)));
  await facts.until(
    () => facts.of(waiting).filter(({ event_type }) => event_type === 'task_completed').length === 2,
    'end of what can end',
  );
  // Nothing more comes, but that nobody runs a role.
  const wanted = Object.fromEntries([...recount(facts.all)]);
  const read = async () => {
    const found = new Map<string, EventOf<'role_statistics'>>();
    const { kafka, topics, codec } = space.context;
    await readTopic({
      ...{
        kafka,
        topic: topics.roles,
        prefix: space.prefix,
        until: 'end',
        signal: AbortSignal.timeout(30_000),
      },
      each({ message }) {
        const { name, value } = codec.decode(message.value ?? Buffer.alloc(0));
        if (name === 'RoleStatistics') found.set(message.key?.toString() ?? '', value);
      },
    });
    return Object.fromEntries([...found].map(([role, { payload }]) => [role, figuresOf(payload)]));
  };
  const same = (found: object) => {
    try {
      assert.deepEqual(found, wanted);
      return true;
    } catch {
      return false;
    }
  };
  await until(read, same, `as the ledger has it, ${JSON.stringify(wanted)}`);
  assert.equal(wanted['nowhere']?.['assigned'], 1);
  assert.equal(wanted['b']?.['failed'], 1);

  const { code, stdout, stderr } = await commandLine(space).ravenhelm(['roles', '--json']);
  assert.equal(code, 0, stderr);
  const shown = JSON.parse(stdout) as {
    readonly name: string;
    readonly statistics: RoleStatisticsPayload | null;
  }[];
  const ofA = shown.find(({ name }) => name === 'a')?.statistics;
  assert.equal(ofA?.completed, wanted['a']?.['completed']);
});
