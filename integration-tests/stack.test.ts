import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { applyTopics, copiesLike, diffTopics } from '#chassis/admin.ts';
import { Failure } from '#chassis/failures.ts';
import { Kafka, logLevel } from '#chassis/kafkajs.ts';
import { brokersKnownTo } from '#local/kafka-answer.ts';
import { identityOf } from '#local/processes.ts';
import { down, type Progress, type StackAddress, status, up, whereIs } from '#local/stack.ts';
import { readState } from '#local/state.ts';
import { topicTable } from '#topics/table.ts';

/** Fetched once for all stacks of this checkout. */
const jars = fileURLToPath(new URL('../.ravenhelm/jars', import.meta.url));
const notGiven = { KAFKA_BROKERS: '', SCHEMA_REGISTRY_URL: '', DATABASE_URL: '' };
const env = { ...process.env, ...notGiven };

const start = (
  dir: string,
  options: { signal?: AbortSignal; told?: (progress: Progress) => void; brokers?: 1 | 3 } = {},
) =>
  up({
    dir,
    jars,
    ports: 'free',
    kind: 'jvm',
    env,
    signal: options.signal ?? AbortSignal.timeout(10 * 60_000),
    progress: options.told ?? (() => {}),
    ...(options.brokers === undefined ? {} : { brokers: options.brokers }),
  });

const end = (dir: string, volumes = false) =>
  down({ dir, volumes, env, signal: AbortSignal.timeout(2 * 60_000) });

const pids = async (dir: string) =>
  Object.fromEntries((await status({ dir, env })).components.map(({ name, pid }) => [name, pid]));

const states = async (dir: string) => [
  ...new Set((await status({ dir, env })).components.map(({ state }) => state)),
];

describe('the local stack', { timeout: 15 * 60_000 }, () => {
  const dirs: string[] = [];
  const newDir = async () => {
    const dir = await mkdtemp(join(tmpdir(), 'ravenhelm-stack-'));
    dirs.push(dir);
    return dir;
  };
  let dir = '';
  let address: StackAddress;

  before(async () => {
    dir = await newDir();
    address = await start(dir);
  });

  after(async () => {
    const places: string[] = [];
    for (const used of dirs) {
      const place = (await readState(used))?.postgresPlace ?? null;
      if (place !== null) places.push(place);
      await end(used, true);
      await rm(used, { recursive: true });
    }
    for (const place of places) await assert.rejects(readdir(place), { code: 'ENOENT' });
  });

  test('everything answers, on ports below the ephemeral range', async () => {
    const { components } = await status({ dir, env });
    assert.deepEqual(
      components.map(({ name, state }) => [name, state]),
      [
        ['kafka', 'ready'],
        ['postgres', 'ready'],
        ['apicurio', 'ready'],
        ['registry', 'ready'],
      ],
    );
    assert.deepEqual(await whereIs({ dir, env }), address);
    const ports = [address.brokers[0] ?? '', new URL(address.registry).host, new URL(address.database).host];
    for (const port of ports) assert(Number(port.split(':')[1]) < 32_768, port);
  });

  test('nothing that the stack started listens beyond loopback', async () => {
    const { kafka, controller, postgres, apicurio, registry } =
      (await readState(dir))?.ports ?? assert.fail();
    for (const port of [kafka, controller, postgres, apicurio, registry]) {
      assert.deepEqual(
        await listenersOn(port),
        process.platform === 'linux' ? ['loopback'] : [],
        `port ${port}`,
      );
    }
    // PostgreSQL has no socket file, either: everything goes through the port and its password.
    await assert.rejects(query('select 1', address.database.replace(/:[^:@]+@/, ':wrong@')), /password/);
  });

  test('the registry has the API of Confluent at its root, with the compatibility that is usual there', async () => {
    const config = await fetch(`${address.registry}/config`);
    assert.deepEqual(await config.json(), { compatibilityLevel: 'BACKWARD' });
    const id = await register('raven-value', { name: 'Raven', fields: [{ name: 'name', type: 'string' }] });
    assert.equal(id.status, 200);
    const { schema } = (await (await fetch(`${address.registry}/schemas/ids/${id.id}`)).json()) as {
      schema: string;
    };
    assert.equal(JSON.parse(schema).name, 'Raven');
    const worse = { name: 'Raven', fields: [{ name: 'age', type: 'int' }] };
    assert.equal((await register('raven-value', worse)).status, 409);
    assert.equal((await fetch(`${address.registry}/subjects/none/versions/1`)).status, 404);
  });

  test('what already runs is used, also by several at once', async () => {
    const running = await pids(dir);
    const addresses = await Promise.all([start(dir), start(dir), start(dir)]);
    for (const found of addresses) assert.deepEqual(found, address);
    assert.deepEqual(await pids(dir), running);
  });

  test('only what has died is started again', async () => {
    const running = await pids(dir);
    process.kill(Number(running.postgres), 'SIGKILL');
    process.kill(Number(running.registry), 'SIGKILL');
    const started = new Set<string>();
    await start(dir, { told: ({ step, note }) => void (note?.startsWith('started') && started.add(step)) });
    assert.deepEqual([...started].sort(), ['postgres', 'registry']);
    const now = await pids(dir);
    assert.equal(now.kafka, running.kafka);
    assert.equal(now.apicurio, running.apicurio);
    assert.notEqual(now.postgres, running.postgres);
    assert.deepEqual(await states(dir), ['ready']);
  });

  test('data survive down and up, at the same address', async () => {
    await query('create table kept (raven text)');
    await query("insert into kept values ('Huginn')");
    await register('kept-value', { name: 'Kept', fields: [] });
    const running = await pids(dir);
    await end(dir);
    assert.deepEqual(await states(dir), ['stopped']);
    assert.equal(await whereIs({ dir, env }), null);
    for (const pid of Object.values(running)) assert.equal(await identityOf(Number(pid)), null);
    assert.deepEqual(await start(dir), address);
    assert.deepEqual(await query('select raven from kept'), [{ raven: 'Huginn' }]);
    // The registry keeps its schemas in Kafka: this is Kafka's data, too.
    const subjects = (await (await fetch(`${address.registry}/subjects`)).json()) as string[];
    assert(subjects.includes('kept-value'));
  });

  test('a stack of another directory stands beside it, and is torn down alone', async () => {
    const other = await newDir();
    const beside = await start(other);
    assert.notDeepEqual(beside.brokers, address.brokers);
    assert.deepEqual(await (await fetch(`${beside.registry}/subjects`)).json(), []);
    await end(other, true);
    assert.deepEqual(await states(other), []);
    assert.deepEqual(await states(dir), ['ready']);
    assert.deepEqual(await readdir(other), ['logs']);
  });

  test('a directory whose stack was never started has none', async () => {
    const empty = await newDir();
    assert.deepEqual(await status({ dir: empty, env }), { address: null, components: [] });
    await end(empty);
  });

  test('given addresses are used as they are, and each that does not answer is named', async () => {
    const given = {
      KAFKA_BROKERS: address.brokers.join(','),
      SCHEMA_REGISTRY_URL: address.registry,
      DATABASE_URL: address.database,
    };
    const options = { dir: await newDir(), signal: AbortSignal.timeout(60_000), progress: () => {} };
    assert.deepEqual(await up({ ...options, env: given }), { ...address, kind: 'given' });
    const wrong = {
      ...given,
      KAFKA_BROKERS: '127.0.0.1:1',
      DATABASE_URL: 'postgres://a:secret@127.0.0.1:1/x',
    };
    await assert.rejects(up({ ...options, env: wrong }), (error) => {
      assert(error instanceof Failure && error.code === 'stack_component_failed');
      assert.match(error.message, /KAFKA_BROKERS: .*ECONNREFUSED.*; DATABASE_URL: /);
      assert(!error.message.includes('secret') && !error.message.includes('SCHEMA_REGISTRY_URL'));
      return true;
    });
  });

  test('on abort, what the call started is stopped', async () => {
    const aborted = await newDir();
    const stop = new AbortController();
    const told = ({ step, state }: Progress) => {
      if (step === 'registry' && state === 'start') stop.abort(new Error('enough'));
    };
    await assert.rejects(start(aborted, { signal: stop.signal, told }), /enough/);
    assert.deepEqual(await states(aborted), ['stopped']);
    assert.deepEqual(await states(dir), ['ready']);
  });

  test('a component that does not come up fails with the end of its log, and nothing is left running', async () => {
    const broken = await newDir();
    await mkdir(join(broken, 'data', 'kafka'), { recursive: true });
    await writeFile(
      join(broken, 'data', 'kafka', 'meta.properties'),
      'version=1\nnode.id=7\ncluster.id=other\n',
    );
    await assert.rejects(start(broken), (error) => {
      assert(error instanceof Failure && error.code === 'stack_component_failed');
      assert.match(error.message, /^kafka ended \(exit code 1\)[\s\S]*kafka\.log:\n[\s\S]*node id 7/);
      return true;
    });
    assert.deepEqual(await states(broken), ['stopped']);
  });

  test('three brokers: topics get three copies, one may be away, and the stack keeps the number', async () => {
    const cluster = await newDir();
    const { brokers } = await start(cluster, { brokers: 3 });
    assert.equal(brokers.length, 3);
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      assert.equal(await copiesLike(admin, 'cluster.missions'), 3);
      const table = topicTable({ prefix: 'cluster', roles: [], replication: 3 });
      await applyTopics(admin, table);
      assert.deepEqual(await diffTopics(admin, table), []);
      const { topics } = await admin.fetchTopicMetadata();
      const copies = topics.flatMap(({ partitions }) => partitions.map(({ replicas }) => replicas.length));
      assert.deepEqual([...new Set(copies)], [3], 'the internal topics and the registry have three, too');
    } finally {
      await admin.disconnect();
    }

    const second = (await readState(cluster))?.processes['kafka-2']?.pid ?? assert.fail();
    process.kill(second, 'SIGKILL');
    while ((await identityOf(second)) !== null) await new Promise((resolve) => setTimeout(resolve, 20));
    // Until its session has ended the others still count it in.
    const first = brokers[0] ?? assert.fail();
    const known = () => brokersKnownTo(first, AbortSignal.timeout(60_000));
    while ((await known()).length > 2) await new Promise((resolve) => setTimeout(resolve, 100));
    const { components } = await status({ dir: cluster, env });
    assert.deepEqual(
      components.slice(0, 3).map(({ name, state }) => [name, state]),
      [
        ['kafka-1', 'ready'],
        ['kafka-2', 'stopped'],
        ['kafka-3', 'ready'],
      ],
    );
    assert.deepEqual((await whereIs({ dir: cluster, env }))?.brokers, brokers);

    await assert.rejects(start(cluster, { brokers: 1 }), (error) => {
      assert(error instanceof Failure && error.code === 'stack_other_brokers');
      assert.match(error.message, /made with 3 brokers.*expected one broker.*down --volumes/);
      return true;
    });
    assert.deepEqual((await start(cluster)).brokers, brokers);
    assert.deepEqual(await states(cluster), ['ready']);
  });

  test('a stack with one broker is not made one with three', async () => {
    await assert.rejects(start(dir, { brokers: 3 }), { code: 'stack_other_brokers' });
    assert.deepEqual(await states(dir), ['ready']);
  });

  test('three brokers are not asked of Docker', async () => {
    const options = { dir: await newDir(), signal: AbortSignal.timeout(60_000), progress: () => {} };
    await assert.rejects(up({ ...options, brokers: 3, env: { PATH: '/nowhere' } }), (error) => {
      assert(error instanceof Failure && error.code === 'stack_unavailable');
      assert.match(error.message, /three brokers are started without Docker/);
      return true;
    });
  });

  test('with no way open, the failure names all three', async () => {
    const options = { dir: await newDir(), signal: AbortSignal.timeout(60_000), progress: () => {} };
    await assert.rejects(up({ ...options, env: { PATH: '/nowhere' } }), (error) => {
      assert(error instanceof Failure && error.code === 'stack_unavailable');
      for (const way of ['KAFKA_BROKERS', 'docker compose', 'Java 17', 'Maven']) {
        assert(error.message.includes(way), way);
      }
      return true;
    });
  });

  test('the front says in the words of the API when the registry is away', async () => {
    const front = fileURLToPath(new URL('../local/registry-front.ts', import.meta.url));
    const port = Number(new URL(address.registry).port) + 50;
    const process_ = spawn(process.execPath, [front, String(port), 'http://127.0.0.1:1/apis'], {
      stdio: 'inherit',
    });
    try {
      const response = await answerOf(`http://127.0.0.1:${port}/subjects`);
      assert.equal(response.status, 502);
      assert.equal(((await response.json()) as { error_code: number }).error_code, 50_002);
    } finally {
      process_.kill('SIGTERM');
      await new Promise((resolve) => process_.once('exit', resolve));
    }
  });

  async function register(subject: string, record: object): Promise<{ status: number; id: number }> {
    const response = await fetch(`${address.registry}/subjects/${subject}/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: JSON.stringify({ type: 'record', ...record }) }),
    });
    return { status: response.status, id: ((await response.json()) as { id: number }).id };
  }

  async function query(sql: string, url = address.database): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }
});

async function answerOf(url: string): Promise<Response> {
  for (const deadline = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    try {
      return await fetch(url, { signal: AbortSignal.timeout(2_000) });
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

/** Where something listens on this port, as Linux tells it; addresses are hexadecimal words in host order. */
async function listenersOn(port: number): Promise<string[]> {
  const loopback = /^(0100007F|0000000000000000FFFF00000100007F|0{24}01000000)$/;
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((table) => readFile(`/proc/net/${table}`, 'utf8').catch(() => '')),
  );
  const listening: string[] = [];
  for (const line of tables.join('\n').split('\n')) {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [host = '', hexadecimal = ''] = local.split(':');
    if (state !== '0A' || Number.parseInt(hexadecimal, 16) !== port) continue;
    listening.push(loopback.test(host) ? 'loopback' : local);
  }
  return listening;
}
