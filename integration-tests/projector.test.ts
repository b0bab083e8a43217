import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deadLetter } from '#chassis/dead-letter.ts';
import { Failure } from '#chassis/failures.ts';
import { type FollowedBatch, type Follower, startFollower } from '#chassis/follower.ts';
import type { MissionState } from '#orchestrator/state.ts';
import { type Database, openDatabase } from '#projector/database.ts';
import { type TableHash, tableHashes } from '#projector/hashes.ts';
import { migrate } from '#projector/migrate.ts';
import { Projection, projectedTopics } from '#projector/projection.ts';
import { openQueries } from '#projector/queries.ts';
import { compareWithLive, rebuild } from '#projector/rebuild.ts';
import { quoted, schemaName } from '#projector/schema-name.ts';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { groupName, topicNames } from '#topics/table.ts';
import { type Namespace, openNamespace } from './harness.ts';
import { type SampleMission, sampleLedger } from './sample-ledger.ts';

const url = process.env['DATABASE_URL'] ?? '';
const seed = process.env['PROJECTOR_SEED'] ?? randomBytes(4).toString('hex');

before(() => {
  assert.notEqual(url, '', 'DATABASE_URL is not set');
});

interface Space extends Namespace {
  readonly database: Database;
  readonly schema: string;
  /** Stopped before the topics go. */
  readonly started: Started[];
}

async function openSpace(t: TestContext): Promise<Space> {
  const started: Started[] = [];
  t.after(async () => {
    for (const projector of started) await projector.stop();
  });
  const namespace = await openNamespace(t, { roles: ['role_0'], partitions: 2 });
  const schema = schemaName(namespace.prefix);
  const database = openDatabase({ url, application: 'projector test' });
  t.after(async () => {
    await database.query(`drop schema if exists ${quoted(schema)} cascade`);
    await database.close();
  });
  t.diagnostic(`seed ${seed}`);
  return { ...namespace, database, schema, started };
}

interface Started {
  readonly follower: Follower;
  readonly crashes: Failure[];
  stop(): Promise<void>;
}

/** A projector in this process, as `startProjector` makes it, through any address of the database. */
async function startHere(space: Space, address = url): Promise<Started> {
  const { context, prefix, schema } = space;
  const { kafka, admin, codec, topics, log, config } = context;
  const database = openDatabase({ url: address, application: 'projector here', statementMs: 5000 });
  const crashes: Failure[] = [];
  const follower = await startFollower({
    ...{ kafka, admin, log, crash: (failure: Failure) => crashes.push(failure) },
    groupId: groupName(prefix, 'projector'),
    topics: projectedTopics(topics),
    handler: new Projection({ database, url: address, schema, topics, codec }),
    sessionTimeoutMs: config.RAVENHELM_SESSION_TIMEOUT_MS,
  });
  const projector = {
    ...{ follower, crashes },
    stop: once(() => follower.stop(5000).then(() => database.close())),
  };
  space.started.push(projector);
  return projector;
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  return () => {
    done ??= work();
    return done;
  };
}

/** The facts of all missions, each mission's in order, the missions mixed. */
function mixed(missions: readonly SampleMission[]) {
  const longest = Math.max(...missions.map(({ facts }) => facts.length));
  return Array.from({ length: longest }, (_, i) =>
    missions.flatMap(({ mission_id, facts }) => {
      const fact = facts[i];
      return fact === undefined ? [] : [{ key: mission_id, value: fact.bytes }];
    }),
  ).flat();
}

/** Writes facts as the orchestrator does, in transactions; now and then one is aborted, and counts for nothing. */
async function produce(
  { context, prefix }: Space,
  records: readonly { key: string; value: Buffer }[],
): Promise<void> {
  const producer = context.kafka.producer({
    transactionalId: `${prefix}.test-${randomBytes(4).toString('hex')}`,
    idempotent: true,
    maxInFlightRequests: 1,
    // A new topic may have no leader for a moment.
    retry: { initialRetryTime: 5, maxRetryTime: 1000, retries: 14 },
  });
  await producer.connect();
  try {
    for (let from = 0, turn = 0; from < records.length; turn += 1) {
      const count = 1 + ((turn * 37) % 90);
      const messages = records.slice(from, from + count);
      const transaction = await producer.transaction();
      await transaction.send({ topic: context.topics.coordination, messages });
      if (turn % 5 === 4) {
        await transaction.abort();
      } else {
        await transaction.commit();
        from += count;
      }
    }
  } finally {
    await producer.disconnect();
  }
}

const total = (missions: readonly SampleMission[]) =>
  missions.reduce((sum, { facts }) => sum + facts.length, 0);

async function count(space: Space, table: string): Promise<number> {
  const sql = `select count(*) as count from ${quoted(space.schema)}.${table}`;
  const rows = await space.database.query<{ count: number }>(sql).catch(() => []);
  return rows[0]?.count ?? -1;
}

async function until(
  look: () => Promise<boolean> | boolean,
  what: string,
  deadlineMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`not in ${deadlineMs} ms: ${what}`);
    await sleep(50);
  }
}

const hashesOf = (space: Space, schema = space.schema): Promise<TableHash[]> =>
  space.database.transaction((client) => tableHashes(client, schema));

async function assertRowsAre(space: Space, missions: readonly SampleMission[]): Promise<void> {
  const queries = openQueries(space.database, space.schema);
  for (const { mission_id, facts, state } of missions) {
    const detail = await queries.missionDetail(mission_id);
    assert.ok(detail, mission_id);
    const { mission, tasks, attempts } = detail;
    const counted = (status: string) => state.tasks.filter((task) => task.status === status).length;
    assert.deepEqual(
      [mission.status, mission.sequence, mission.tasks, mission.completed, mission.failed, mission.cancelled],
      [
        ...[state.status, facts.length, state.tasks.length],
        ...[counted('completed'), counted('failed'), counted('cancelled')],
      ],
    );
    assert.equal(mission.created_at?.getTime(), state.created_at);
    assert.equal(mission.ended_at?.getTime() ?? 0, state.ended_at);
    const shown = tasks.filter((task) => state.plan?.index.has(task.task_id));
    assert.deepEqual(
      shown
        .toSorted((a, b) => a.position - b.position)
        .map((task) => [task.task_id, task.status, task.attempt, task.lease, task.agent, task.result]),
      state.tasks.map((task, i) => [
        ...[state.plan?.tasks[i]?.id, task.status, task.attempt, task.lease, task.agent, task.result],
      ]),
    );
    const events = facts.map(({ event }) => event);
    const timeline = await queries.missionTimeline(mission_id);
    assert.deepEqual(
      timeline.map((fact) => [fact.sequence, fact.event_type, fact.at?.getTime()]),
      events.map((event) => [event.sequence, event.event_type, event.timestamp]),
    );
    const begun = events.flatMap((event) =>
      event.event_type === 'task_assigned' && event.payload.lease === 1
        ? [`${event.payload.task_id}/${event.payload.attempt}`]
        : [],
    );
    assert.deepEqual(attempts.map((each) => `${each.task_id}/${each.attempt}`).toSorted(), begun.toSorted());
    const ends = events.filter(({ event_type }) =>
      ['task_completed', 'task_attempt_failed', 'task_failed'].includes(event_type),
    );
    assert.equal(
      attempts.filter((each) => ['completed', 'failed'].includes(each.status)).length,
      ends.length,
    );
  }
}

test('a ledger becomes rows, as evolve has it, whatever the batches', { timeout: 120_000 }, async (t) => {
  const codec = createCodec(numberedIds());
  const missions = sampleLedger(codec, 60, seed);
  const records = mixed(missions).map(({ key, value }, offset) => ({
    offset,
    message: { key: Buffer.from(key), value, headers: {}, timestamp: '0' },
  }));
  const topics = topicNames('nowhere');
  const database = openDatabase({ url, application: 'projector test' });
  const schemas = ['whole', 'ones', 'some'].map((name) => `t_${seed}_${name}`);
  t.after(async () => {
    for (const schema of schemas) await database.query(`drop schema if exists ${schema} cascade`);
    await database.close();
  });
  const hashes: TableHash[][] = [];
  for (const [i, schema] of schemas.entries()) {
    let projection = new Projection({ database, url, schema, topics, codec });
    const at = await projection.positions(0);
    assert.equal(at.get(topics.coordination), 0);
    for (let from = 0; from < records.length; ) {
      const size = [records.length, 1, 1 + ((from * 7) % 40)][i] ?? 1;
      const next = Math.min(records.length, from + size);
      const batch: FollowedBatch = {
        ...{ topic: topics.coordination, partition: 0, records: records.slice(from, next), next, end: next },
      };
      assert.equal(await projection.handle(batch), next);
      from = next;
      // Now and then it starts anew, and knows only what the tables say.
      if (i === 2 && from % 5 === 0) {
        projection = new Projection({ database, url, schema, topics, codec });
        await projection.positions(0);
      }
    }
    hashes.push(await database.transaction((client) => tableHashes(client, schema)));
  }
  const [whole, ones, some] = hashes;
  assert.deepEqual(ones, whole);
  assert.deepEqual(some, whole);
  const rows = Object.fromEntries((whole ?? []).map(({ table, rows }) => [table, rows]));
  assert.equal(rows['timeline'], records.length);
  assert.equal(rows['projection_errors'], 0);
  const open = missions.filter(({ state }) => !isSettled(state));
  assert.equal(rows['mission_states'], open.length);
  assert.ok(open.length > 0 && open.length < missions.length);
});

const isSettled = (state: MissionState) => !['planning', 'running'].includes(state.status);

test('killed again and again, two at once: each fact makes one row', { timeout: 180_000 }, async (t) => {
  const space = await openSpace(t);
  const missions = sampleLedger(space.context.codec, 120, seed);
  const records = mixed(missions);
  const rounds = 4;
  const share = Math.floor(records.length / rounds);
  for (let round = 0; round < rounds; round += 1) {
    const from = round * share;
    const producing = produce(
      space,
      records.slice(from, round === rounds - 1 ? records.length : from + share),
    );
    const projectors = await Promise.all([
      space.start('projector', { wait: false }),
      space.start('projector', { wait: false }),
    ]);
    // In the middle of its work, and not at the same place each time.
    await until(async () => (await count(space, 'timeline')) > from, `a fact of round ${round}`);
    await sleep(round * 15);
    for (const projector of projectors) projector.signal('SIGKILL');
    await Promise.all([producing, ...projectors.map(({ exited }) => exited)]);
  }
  await Promise.all([space.start('projector'), space.start('projector')]);
  await until(async () => (await count(space, 'timeline')) >= records.length, 'all facts', 60_000);
  assert.equal(await count(space, 'timeline'), total(missions));
  assert.equal(await count(space, 'missions'), missions.length);
  assert.equal(await count(space, 'projection_errors'), 0);
  await assertRowsAre(space, missions);
});

test('of two that hold one partition, one gets on and the other follows', { timeout: 60_000 }, async (t) => {
  const space = await openSpace(t);
  const { codec, topics } = space.context;
  const { database, schema } = space;
  const make = () => new Projection({ database, url, schema, topics, codec });
  const [one, other] = [make(), make()];
  const records = mixed(sampleLedger(codec, 12, seed)).map(({ key, value }, offset) => ({
    offset,
    message: { key: Buffer.from(key), value, headers: {}, timestamp: '0' },
  }));
  const batch = (from: number, next: number): FollowedBatch => ({
    ...{ topic: topics.coordination, partition: 0, records: records.slice(from, next), next, end: next },
  });
  await Promise.all([one.positions(0), other.positions(0)]);
  const raced = await Promise.all([one.handle(batch(0, 20)), other.handle(batch(0, 20))]);
  assert.deepEqual(raced, [20, 20]);
  assert.equal(await one.handle(batch(20, 50)), 50);
  // It believes to be at 20, is refused, and is told where to go on.
  assert.equal(await other.handle(batch(20, 30)), 50);
  assert.equal(await other.handle(batch(50, 60)), 60);
  assert.equal(await count(space, 'timeline'), 60);
  assert.equal(await count(space, 'projection_errors'), 0);
});

test('a rebuild under a running projector: equal tables, no fact twice or lost', {
  timeout: 180_000,
}, async (t) => {
  const space = await openSpace(t);
  const { kafka, admin, codec, topics, log } = space.context;
  const missions = sampleLedger(codec, 150, seed);
  const records = mixed(missions);
  const half = Math.floor(records.length / 2);
  const projector = await startHere(space);
  await produce(space, records.slice(0, half));
  await until(async () => (await count(space, 'timeline')) === half, 'the first half');
  const tableOf = async () =>
    (
      await space.database.query<{ oid: number }>(
        `select to_regclass('${quoted(space.schema)}.timeline')::oid::bigint as oid`,
      )
    )[0]?.oid;
  const before = await tableOf();
  // What is wrong in the live tables is not in the rebuilt ones.
  await space.database.query(`delete from ${quoted(space.schema)}.attempts`);

  const settings = { kafka, admin, codec, topics, log, prefix: space.prefix, url };
  const signal = AbortSignal.timeout(60_000);
  const differing = await compareWithLive({ ...settings, signal });
  assert.equal(differing.equal, false);
  assert.deepEqual(
    differing.tables.filter(({ equal }) => !equal).map(({ table }) => table),
    ['attempts'],
  );
  assert.equal(await tableOf(), before);

  const phases = new Set<string>();
  const [rebuilt] = await Promise.all([
    rebuild({ ...settings, signal, progress: ({ phase }) => phases.add(phase) }),
    produce(space, records.slice(half)),
  ]);
  assert.equal(rebuilt.schema, space.schema);
  assert.ok(phases.has('folding') && phases.has('swapping'));
  assert.notEqual(await tableOf(), before);
  await until(async () => (await count(space, 'timeline')) >= records.length, 'the second half');
  assert.deepEqual(projector.crashes, []);
  assert.equal(await count(space, 'timeline'), records.length);
  await assertRowsAre(space, missions);

  const comparison = await compareWithLive({ ...settings, signal });
  assert.ok(comparison.equal, JSON.stringify(comparison.tables.filter(({ equal }) => !equal)));
  assert.equal(comparison.tables.find(({ table }) => table === 'timeline')?.rebuilt.rows, records.length);
  const left = await space.database.query<{ nspname: string }>(
    `select nspname from pg_namespace where nspname like '${space.schema}%'`,
  );
  assert.deepEqual(left, [{ nspname: space.schema }]);
  const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId);
  assert.deepEqual(
    groups.filter((group) => group.startsWith(`${space.prefix}.rebuild`)),
    [],
  );
});

test('what cannot be folded is written down and passed over', { timeout: 60_000 }, async (t) => {
  const space = await openSpace(t);
  const { codec, publisher, topics } = space.context;
  const [mission] = sampleLedger(codec, 1, seed);
  assert.ok(mission);
  const key = mission.mission_id;
  const middle = Math.floor(mission.facts.length / 2);
  const bytes = mission.facts.map((fact) => fact.bytes);
  const again = bytes[0] ?? Buffer.alloc(0);
  const unknownSchema = Buffer.concat([Buffer.from([0, 0x7f, 0, 0, 1]), Buffer.from('what')]);
  // Decodes, and folds, but PostgreSQL has no row for it: its key is longer than an index takes.
  const long = `long-${'x'.repeat(20_000)}`;
  const first = mission.facts[0];
  assert.ok(first?.event.event_type === 'mission_accepted');
  const tooLong = codec.encode({ ...first.event, correlation_id: randomText(long.length) });
  const values = [
    ...bytes.slice(0, middle),
    ...[Buffer.from('garbage'), null, unknownSchema, health(codec, 'stray', 1), again, tooLong],
    ...bytes.slice(middle),
  ];
  await publisher.send(
    topics.coordination,
    values.map((value) => ({ key, value })),
  );
  await startHere(space);
  await until(async () => (await count(space, 'timeline')) === bytes.length, 'all facts');
  await assertRowsAre(space, [mission]);
  const errors = await openQueries(space.database, space.schema).listErrors();
  assert.deepEqual(
    errors.toSorted((a, b) => a.offset - b.offset).map(({ offset, code }) => [offset - middle, code]),
    [
      [0, 'undecodable'],
      [1, 'undecodable'],
      [2, 'schema_unknown'],
      [3, 'unexpected_type'],
      [4, 'ledger_broken'],
      [5, 'handler_failed'],
    ],
  );
});

test('agents, journals and dead letters', { timeout: 60_000 }, async (t) => {
  const space = await openSpace(t);
  const { codec, publisher, topics } = space.context;
  await publisher.send(topics.health, [
    { key: 'a1', value: health(codec, 'a1', 1) },
    { key: 'a2', value: health(codec, 'a2', 1) },
    { key: 'a1', value: health(codec, 'a1', 2) },
    { key: 'a2', value: null },
  ]);
  const call = (lease: number, step: number, sequence: number) => ({ lease, step, sequence });
  const journal = [
    toolStarted(call(1, 1, 1)),
    toolEnded(call(1, 1, 2), 'first'),
    toolStarted(call(1, 2, 3)),
    resumed(call(2, 2, 4)),
    // The first lease does not know yet that it is over.
    toolEnded(call(1, 2, 4), 'zombie'),
    toolStarted(call(1, 3, 5)),
    toolStarted(call(2, 2, 4)),
    // A lost answer wrote it twice.
    toolStarted(call(2, 2, 4)),
    toolEnded(call(2, 2, 5), 'second'),
    toolStarted(call(2, 2, 4)),
  ];
  for (const event of journal) {
    await publisher.send(topics.steps, [{ key: 'm/t', value: codec.encode(event) }]);
  }
  const message = {
    key: Buffer.from('k'),
    value: Buffer.from('junk'),
    timestamp: '1790000000000',
    offset: '7',
  };
  const dead = deadLetter({
    ...{ topic: topics.dlq, service: 'orchestrator', now: 1_790_000_001_000 },
    origin: { topic: topics.reports, partition: 1, message: { ...message, attributes: 0, headers: {} } },
    failure: new Failure('undecodable', 'found junk'),
  });
  await publisher.send(topics.dlq, [
    { key: 'k', value: dead.message.value, headers: dead.message.headers ?? {} },
  ]);

  const projector = await startHere(space);
  const queries = openQueries(space.database, space.schema);
  await until(async () => (await count(space, 'dead_letters')) === 1, 'the dead letter');
  await until(async () => (await count(space, 'steps')) === 2, 'the steps');
  await until(async () => (await count(space, 'agents')) === 1, 'the agent');
  const [agent] = await queries.listAgents();
  assert.deepEqual([agent?.agent, agent?.running, agent?.roles], ['a1', 2, ['role_0']]);
  const steps = await queries.listSteps({ mission: 'm' });
  assert.deepEqual(
    steps.map((step) => [step.step, step.lease, step.status, step.input, step.output]),
    [
      [1, 1, 'ok', '{}', 'first'],
      [2, 2, 'ok', '{}', 'second'],
    ],
  );
  const [letter] = await queries.listDeadLetters();
  assert.deepEqual(
    [letter?.topic, letter?.topic_partition, letter?.topic_offset, letter?.code, letter?.stage, letter?.size],
    [topics.reports, 1, 7, 'undecodable', 'orchestrator', 4],
  );
  assert.equal(letter?.failed_at?.getTime(), 1_790_000_001_000);

  // A rebuild needs no projector, and not even tables to replace.
  await projector.stop();
  const hashes = await hashesOf(space);
  const { kafka, admin, log } = space.context;
  const settings = { kafka, admin, codec, topics, log, prefix: space.prefix, url };
  for (const drop of [false, true]) {
    if (drop) await space.database.query(`drop schema ${quoted(space.schema)} cascade`);
    await rebuild({ ...settings, signal: AbortSignal.timeout(30_000) });
    assert.deepEqual(await hashesOf(space), hashes);
  }
});

test('what model calls have cost, whoever made them and however often', { timeout: 60_000 }, async (t) => {
  const space = await openSpace(t);
  const { codec, publisher, topics } = space.context;
  const { database, schema } = space;
  const day = 86_400_000;
  const records = [
    // A failed attempt has been paid for.
    ...calls({ attempt: 1, step: 1, cost_usd: 0.1 }),
    ...calls({ attempt: 1, step: 2, cost_usd: 0.000_000_007, ok: false }),
    ...calls({ attempt: 2, step: 1, cost_usd: 0.2 }),
    // Killed in the air, and made again by a resume. The first lease does not know that it is over, and pays.
    ...calls({ attempt: 2, step: 3, cost_usd: 0.3 }).slice(0, 1),
    resumed({ lease: 2, step: 0, sequence: 0 }, 2),
    ...calls({ attempt: 2, step: 3, lease: 2, cost_usd: 0.3 }),
    ...calls({ attempt: 2, step: 3, cost_usd: 0.4 }).slice(1),
    ...calls({ attempt: 2, step: 4, lease: 2, cost_usd: null, model: 'unheard' }),
    ...calls({ attempt: 2, step: 5, lease: 2, cost_usd: 0.5, at: envelope('').timestamp + day }),
    ...calls({ task: 'u', attempt: 1, step: 1, cost_usd: 1, role: 'role_1' }),
    // Nobody has heard how it ended.
    ...calls({ task: 'u', attempt: 1, step: 3, cost_usd: 1, role: 'role_1' }).slice(0, 1),
  ];
  // A lost answer wrote the last of them twice.
  for (const event of [...records, ...records.slice(-1)]) {
    await publisher.send(topics.steps, [{ key: 'm', value: codec.encode(event) }]);
  }
  const projector = await startHere(space);
  await until(async () => (await count(space, 'model_calls')) === 9, 'the model calls');
  assert.equal(await count(space, 'steps'), 8);
  const queries = openQueries(database, schema);
  const spent = async (...how: Parameters<typeof queries.spentBy>) =>
    (await queries.spentBy(...how)).map((each) => [each.name, each.calls, each.unpriced, each.cost_nanos]);
  assert.deepEqual(await spent('task', { mission: 'm' }), [
    ['t', 7, 1, 1_500_000_007],
    ['u', 2, 1, 1_000_000_000],
  ]);
  assert.deepEqual(await spent('role'), [
    ['role_0', 7, 1, 1_500_000_007],
    ['role_1', 2, 1, 1_000_000_000],
  ]);
  assert.deepEqual(await spent('model'), [
    ['anthropic/x', 8, 1, 2_500_000_007],
    ['anthropic/unheard', 1, 1, 0],
  ]);
  assert.deepEqual(await spent('day'), [
    ['2026-09-21', 8, 2, 2_000_000_007],
    ['2026-09-22', 1, 0, 500_000_000],
  ]);
  const since = new Date(envelope('').timestamp + day);
  assert.deepEqual(await spent('day', { since }), [['2026-09-22', 1, 0, 500_000_000]]);
  assert.deepEqual(await spent('task', { mission: 'nobody' }), []);
  const [tokens] = await queries.spentBy('role', { since });
  assert.deepEqual(
    [tokens?.input_tokens, tokens?.output_tokens, tokens?.cache_read_tokens, tokens?.cache_write_tokens],
    [10, 4, 2, 1],
  );

  await projector.stop();
  const hashes = await hashesOf(space);
  const { kafka, admin, log } = space.context;
  const settings = { kafka, admin, codec, topics, log, prefix: space.prefix, url };
  await rebuild({ ...settings, signal: AbortSignal.timeout(30_000) });
  assert.deepEqual(await hashesOf(space), hashes);

  // Tables of a version that had no costs get them from their steps: all but the call that was made again.
  const own = (name: string) => `${quoted(schema)}.${name}`;
  await database.query(`drop table ${own('model_calls')}, ${own('reviews')}, ${own('mission_budgets')}`);
  await database.query(`delete from ${own('migrations')} where name > '0002'`);
  await migrate(url, schema);
  assert.deepEqual(await spent('task', { mission: 'm' }), [
    ['t', 6, 1, 1_100_000_007],
    ['u', 2, 1, 1_000_000_000],
  ]);
});

test('an outage of the database is waited out, in the group', { timeout: 90_000 }, async (t) => {
  const space = await openSpace(t);
  const missions = sampleLedger(space.context.codec, 40, seed);
  const records = mixed(missions);
  const half = Math.floor(records.length / 2);
  const proxy = await openProxy(t, url);
  const projector = await startHere(space, proxy.url);
  await produce(space, records.slice(0, half));
  await until(async () => (await count(space, 'timeline')) === half, 'the first half');
  assert.equal(projector.follower.ready(), true);
  const memberOf = async () => {
    const { groups } = await space.context.admin.describeGroups([groupName(space.prefix, 'projector')]);
    return groups[0]?.members.map(({ memberId }) => memberId);
  };
  const member = await memberOf();
  proxy.cut();
  await produce(space, records.slice(half));
  await until(() => !projector.follower.ready(), 'it says that it is not ready');
  // Longer than the session: the group must go on hearing of it.
  await sleep(space.context.config.RAVENHELM_SESSION_TIMEOUT_MS + 2000);
  assert.equal(projector.follower.ready(), false);
  assert.deepEqual(await memberOf(), member);
  assert.equal(await count(space, 'timeline'), half);
  proxy.mend();
  await until(async () => (await count(space, 'timeline')) >= records.length, 'the second half');
  assert.equal(await count(space, 'timeline'), records.length);
  assert.deepEqual(projector.crashes, []);
  await assertRowsAre(space, missions);
  assert.deepEqual((await hashesOf(space)).find(({ table }) => table === 'projection_errors')?.rows, 0);
});

/** Text that does not compress, as a long repeated one would fit into an index after all. */
const randomText = (length: number) =>
  randomBytes(Math.ceil(length / 2))
    .toString('hex')
    .slice(0, length);

const envelope = (event_type: string, timestamp = 1_790_000_000_000) => ({
  event_id: `${event_type}-${timestamp}`,
  event_type,
  source_agent: 'role_0',
  target_agent: 'orchestrator',
  timestamp,
  version: 1,
  correlation_id: 'm',
  causation_id: '',
  priority: 'normal' as const,
  sequence: 0,
  previous_hash: '',
});

function health(codec: Space['context']['codec'], agent: string, running: number): Buffer {
  const about = { service: 'worker', roles: ['role_0'], pid: 1, host: 'here', state: 'running' };
  return codec.encode({
    ...envelope('agent_health'),
    event_type: 'agent_health',
    payload: {
      ...{ agent, ...about, running, capacity: 8, started_at: 1_790_000_000_000, code_version: '1' },
      ...{ pools: [], reason: '', problems: [] },
    },
  });
}

interface Call {
  readonly lease: number;
  readonly step: number;
  readonly sequence: number;
}

const place = ({ lease, step }: Call) => ({ task_id: 't', attempt: 1, lease, step, agent: `agent-${lease}` });

function toolStarted(call: Call): EventOf<'tool_call_started'> {
  const told = { call_id: 'c', tool: 'a_tool', arguments: '{}', arguments_hash: '', effect: 'none' };
  return {
    ...{
      ...envelope('tool_call_started'),
      sequence: call.sequence,
      event_type: 'tool_call_started' as const,
    },
    payload: { ...place(call), ...told, idempotency_key: '', review_id: '' },
  };
}

function toolEnded(call: Call, output: string): EventOf<'tool_call_ended'> {
  const told = { call_id: 'c', tool: 'a_tool', ok: true, output, truncated: false, code: '', message: '' };
  return {
    ...{ ...envelope('tool_call_ended'), sequence: call.sequence, event_type: 'tool_call_ended' as const },
    payload: { ...place(call), ...told, duration_ms: 3 },
  };
}

function resumed(call: Call, attempt = 1): EventOf<'journal_resumed'> {
  const payload = { ...place(call), attempt };
  return { ...envelope('journal_resumed'), event_type: 'journal_resumed', payload };
}

interface ModelCall {
  readonly attempt: number;
  readonly step: number;
  readonly cost_usd: number | null;
  readonly lease?: number;
  readonly task?: string;
  readonly role?: string;
  readonly model?: string;
  readonly ok?: boolean;
  readonly at?: number;
}

/** The intent and the outcome of a model call. */
function calls({ attempt, step, cost_usd, lease = 1, task = 't', role = 'role_0', ...more }: ModelCall) {
  const { model = 'x', ok = true, at = envelope('').timestamp } = more;
  const about = {
    task_id: task,
    attempt,
    lease,
    step,
    agent: `agent-${lease}`,
    provider: 'anthropic',
    model,
  };
  const made = { ...envelope('call', at), source_agent: role };
  const begun: EventOf<'model_call_started'> = {
    ...{ ...made, sequence: 2 * step - 1, event_type: 'model_call_started' },
    payload: {
      ...{ ...about, request_hash: '', prompt_version: '', tools_hash: '' },
      ...{ temperature: null, answer: '', most: null },
    },
  };
  const used = { input_tokens: 10, output_tokens: 4, cache_read_tokens: 2, cache_write_tokens: 1 };
  const usage = { ...used, cost_usd, calls: 1 };
  const answer = { text: '', tool_calls: [], stop_reason: 'end', code: '', message: '', usage };
  const ended: EventOf<'model_call_ended'> = {
    ...{ ...made, sequence: 2 * step, event_type: 'model_call_ended' },
    payload: { ...about, ok, ...answer, duration_ms: 3 },
  };
  return [begun, ended] as const;
}

/** A way to the database that can be cut. */
async function openProxy(t: TestContext, address: string) {
  const to = new URL(address);
  const sockets = new Set<Socket>();
  let open = true;
  const server: Server = createServer((socket) => {
    if (!open) {
      socket.destroy();
      return;
    }
    const out = connect({ host: to.hostname, port: Number(to.port) });
    for (const [one, other] of [
      [socket, out],
      [out, socket],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        other.destroy();
        sockets.delete(one);
      });
      one.pipe(other);
    }
  });
  const cut = () => {
    open = false;
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    cut();
    server.close();
  });
  const from = new URL(address);
  const bound = server.address();
  from.port = String(typeof bound === 'object' && bound !== null ? bound.port : 0);
  from.hostname = '127.0.0.1';
  return {
    url: from.href,
    cut,
    mend() {
      open = true;
    },
  };
}
