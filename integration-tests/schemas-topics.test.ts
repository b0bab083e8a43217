import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { applyAcls, applyTopics, copiesLike, diffTopics } from '#chassis/admin.ts';
import { connectKafka } from '#chassis/kafka.ts';
import { openLog } from '#chassis/log.ts';
import { type CatalogEntry, catalog, entryOf } from '#schemas/catalog.ts';
import { type Codec, openCodec } from '#schemas/codec.ts';
import { registerAll } from '#schemas/register.ts';
import { listSchemas } from '#schemas/registry.ts';
import { registryHttp } from '#schemas/registry-http.ts';
import type { TaskReleased } from '#schemas/types.gen.ts';
import { aclsFor } from '#topics/acls.ts';
import { missionsSubject, type TopicSpec, topicNames, topicTable } from '#topics/table.ts';

const { KAFKA_BROKERS = '', SCHEMA_REGISTRY_URL: url = '' } = process.env;
const signal = AbortSignal.timeout(120_000);
const prefix = `test-${randomUUID().slice(0, 8)}`;
const subject = missionsSubject(prefix);

const released: TaskReleased = {
  event_id: 'e',
  event_type: 'task_released',
  source_agent: 'cert_agent',
  target_agent: 'orchestrator',
  timestamp: 1,
  version: 1,
  correlation_id: 'm',
  causation_id: '',
  priority: 'normal',
  sequence: 0,
  previous_hash: '',
  payload: { task_id: 't', attempt: 1, lease: 1, agent: 'a', reason: 'drain' },
};

/** A schema of ours under a name that no other test has. */
function renamed(name: string, change: (fields: object[]) => object[]): CatalogEntry {
  const entry = entryOf('TaskReleased');
  const schema = JSON.parse(entry.text) as { name: string; fields: object[] };
  schema.name = name;
  schema.fields = change(schema.fields);
  return { ...entry, fullName: `ravenhelm.${name}`, text: JSON.stringify(schema) };
}

describe('schemas in the registry', () => {
  let codec: Codec;
  const ours = new Set([subject]);
  const named = (name: string) => {
    const unique = `${name}${randomUUID().slice(0, 8)}`;
    ours.add(`ravenhelm.${unique}`);
    return unique;
  };

  after(async () => {
    for (const made of ours) await fetch(`${url}/subjects/${made}`, { method: 'DELETE', signal });
  });

  it('are missing for a namespace that nobody has registered', async () => {
    await assert.rejects(openCodec(url, { missionsSubject: subject, signal }), {
      code: 'schema_not_registered',
      message: /ravenhelm schemas register/,
    });
    const listed = await listSchemas({ url, missionsSubject: subject, signal });
    const commands = listed.find((schema) => schema.subject === subject);
    assert.deepEqual(commands, { subject, id: null, version: null, compatibility: null, in_step: false });
  });

  it('are registered once', async () => {
    const steps: number[] = [];
    const options = { url, missionsSubject: subject, signal };
    const first = await registerAll({ ...options, progress: ({ done }) => steps.push(done) });
    assert.equal(first.length, catalog.length);
    assert.deepEqual(
      steps,
      catalog.map((_, index) => index + 1),
    );
    assert.equal(first.find((schema) => schema.subject === subject)?.outcome, 'registered');
    const again = await registerAll(options);
    assert.deepEqual(
      again,
      first.map((schema) => ({ ...schema, outcome: 'unchanged' })),
    );
    const listed = await listSchemas(options);
    assert.deepEqual(
      listed.filter(({ in_step }) => !in_step),
      [],
    );
    assert.deepEqual(new Set(listed.map(({ compatibility }) => compatibility)), new Set(['FULL_TRANSITIVE']));
  });

  it('open a codec that knows all of them', async () => {
    codec = await openCodec(url, { missionsSubject: subject, signal });
    const bytes = codec.encode(released);
    assert.deepEqual(codec.decode(bytes), { name: 'TaskReleased', value: released });
    const stored = await registryHttp(url).schemaOf(bytes.readInt32BE(1), signal);
    assert.equal((JSON.parse(stored ?? '{}') as { name?: string }).name, 'TaskReleased');
  });

  it('say that an id is unknown', async () => {
    const bytes = codec.encode(released);
    bytes.writeInt32BE(2_000_000_000, 1);
    assert.equal(codec.knows(bytes), false);
    await codec.load(bytes, signal);
    assert.equal(codec.knows(bytes), true);
    assert.throws(() => codec.decode(bytes), { code: 'schema_unknown', message: /2000000000/ });
  });

  it('say that a schema is somebody else’s', async () => {
    const name = named('Other');
    const entries = [renamed(name, (fields) => fields)];
    const [registered] = await registerAll({ url, missionsSubject: subject, signal, entries });
    const bytes = codec.encode(released);
    bytes.writeInt32BE(registered?.id ?? 0, 1);
    await codec.load(bytes, signal);
    assert.throws(() => codec.decode(bytes), { code: 'unexpected_type', message: new RegExp(name) });
  });

  it('refuse an incompatible change, and then register nothing at all', async () => {
    const changed = named('Changed');
    const fresh = named('Fresh');
    const options = { url, missionsSubject: subject, signal };
    await registerAll({ ...options, entries: [renamed(changed, (fields) => fields)] });
    const entries = [
      renamed(fresh, (fields) => fields),
      renamed(changed, (fields) => [...fields, { name: 'later', type: 'string' }]),
    ];
    await assert.rejects(registerAll({ ...options, entries }), {
      code: 'schema_incompatible',
      message: new RegExp(`^The registry refuses ravenhelm\\.${changed}: .*later`, 's'),
    });
    const http = registryHttp(url);
    assert.equal(await http.find(`ravenhelm.${fresh}`, entries[0]?.text ?? '', signal), null);
    const compatible = [
      renamed(changed, (fields) => [...fields, { name: 'later', type: 'string', default: '' }]),
    ];
    const [registered] = await registerAll({ ...options, entries: compatible });
    assert.equal(registered?.outcome, 'registered');
  });

  it('refuse what only an older version is incompatible with', async () => {
    const name = named('Older');
    const versions = [{ type: 'string', default: '' }, null, { type: 'int', default: 0 }];
    const register = (later: object | null) => {
      const entry = renamed(name, (fields) => (later ? [...fields, { name: 'later', ...later }] : fields));
      return registerAll({ url, missionsSubject: subject, signal, entries: [entry] });
    };
    await register(versions[0] ?? null);
    await register(versions[1] ?? null);
    await assert.rejects(register(versions[2] ?? null), { code: 'schema_incompatible' });
  });

  it('say when the registry does not answer, and when they were given up', async () => {
    const nobody = { missionsSubject: subject, signal };
    await assert.rejects(openCodec('http://127.0.0.1:1', nobody), {
      code: 'registry_unavailable',
      message: /http:\/\/127\.0\.0\.1:1.*ECONNREFUSED|bad port/,
    });
    const gone = AbortSignal.abort();
    await assert.rejects(openCodec(url, { ...nobody, signal: gone }), { code: 'aborted' });
  });
});

describe('topics on the brokers', () => {
  const log = openLog('test', 'silent');
  const kafka = connectKafka({ brokers: KAFKA_BROKERS.split(','), clientId: prefix, log });
  // As the protocol numbers them: the type of a resource, and the source of a setting made for this topic.
  const [topicResource, topicSource] = [2, 1] as const;
  const roles = ['cert_agent', 'env_agent'];
  const table = topicTable({ prefix, roles, partitions: 2 });
  const names = topicNames(prefix);
  const admin = kafka.admin();

  before(async () => {
    await admin.connect();
  });
  after(async () => {
    const ours = (await admin.listTopics()).filter((name) => name.startsWith(`${prefix}.`));
    await admin.deleteTopics({ topics: ours });
    await admin.disconnect();
  });

  const settingsOf = async (topic: string) => {
    const resources = [{ type: topicResource, name: topic }];
    const { resources: found } = await admin.describeConfigs({ resources, includeSynonyms: false });
    const own = found[0]?.configEntries.filter(({ configSource }) => configSource === topicSource);
    return Object.fromEntries(own?.map(({ configName, configValue }) => [configName, configValue]) ?? []);
  };
  const changed = (name: string, change: Partial<TopicSpec>): TopicSpec[] =>
    table.map((spec) => (spec.name === name ? { ...spec, ...change } : spec));

  it('are created as the table says', async () => {
    const missing = await diffTopics(admin, table, signal);
    assert.deepEqual(
      missing.map(({ kind }) => kind),
      table.map(() => 'missing'),
    );
    const applied = await applyTopics(admin, table, signal);
    assert.deepEqual(
      applied.created,
      table.map(({ name }) => name),
    );
    assert.deepEqual(await diffTopics(admin, table, signal), []);
    const again = await applyTopics(admin, table, signal);
    assert.deepEqual(again, { created: [], grown: [], configured: [], refused: [] });
    assert.equal((await settingsOf(names.state('orchestrator')))['cleanup.policy'], 'compact');
    assert.equal((await settingsOf(names.coordination))['retention.ms'], '-1');
  });

  it('are created once when two do it at the same time', async () => {
    const other = topicTable({ prefix: `${prefix}.twice`, roles, partitions: 1 });
    await Promise.all([applyTopics(admin, other, signal), applyTopics(admin, other, signal)]);
    assert.deepEqual(await diffTopics(admin, other, signal), []);
  });

  it('are mended without losing the settings of others', async () => {
    const { ['max.message.bytes']: limit = '' } = await settingsOf(names.coordination);
    const configEntries = [
      { name: 'max.message.bytes', value: limit },
      { name: 'retention.ms', value: '1000' },
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'file.delete.delay.ms', value: '12345' },
    ];
    const resources = [{ type: topicResource, name: names.coordination, configEntries }];
    await admin.alterConfigs({ validateOnly: false, resources });
    // The change above is not ours, and nobody has waited until the brokers show it.
    while ((await diffTopics(admin, table, signal)).length === 0) await sleep(50);
    assert.deepEqual(await diffTopics(admin, table, signal), [
      { kind: 'config', topic: names.coordination, setting: 'retention.ms', found: '1000', wanted: '-1' },
    ]);
    const applied = await applyTopics(admin, table, signal);
    assert.deepEqual(applied, { created: [], grown: [], configured: [names.coordination], refused: [] });
    assert.deepEqual(await diffTopics(admin, table, signal), []);
    const settings = await settingsOf(names.coordination);
    assert.equal(settings['file.delete.delay.ms'], '12345');
    assert.equal(settings['retention.ms'], '-1');
  });

  it('get more partitions while they are empty, and never fewer', async () => {
    const more = changed(names.steps, { partitions: 3 });
    const applied = await applyTopics(admin, more, signal);
    assert.deepEqual(applied.grown, [names.steps]);
    assert.deepEqual(await diffTopics(admin, more, signal), []);
    const fewer = await applyTopics(admin, table, signal);
    assert.deepEqual(
      fewer.refused.map(({ drift }) => drift),
      [{ kind: 'partitions', topic: names.steps, found: 3, wanted: 2 }],
    );
    assert.match(fewer.refused[0]?.reason ?? '', /3 partitions, more than the 2 wanted/);
  });

  it('keep their partitions once they have records', async () => {
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: names.reports, messages: [{ key: 'm', value: Buffer.from('x') }] });
    await producer.disconnect();
    const applied = await applyTopics(admin, changed(names.reports, { partitions: 4 }), signal);
    assert.deepEqual(applied.grown, []);
    const reasons = applied.refused.filter(({ drift }) => drift.topic === names.reports);
    assert.match(reasons[0]?.reason ?? '', /has records: .* keys would move .* other topics of its set/);
  });

  it('take a dead letter of more than a mebibyte, and other topics do not', async () => {
    const producer = kafka.producer({ retry: { retries: 0 } });
    await producer.connect();
    const messages = [{ key: 'k', value: Buffer.alloc(1_500_000) }];
    await producer.send({ topic: names.dlq, messages });
    await assert.rejects(
      producer.send({ topic: names.missions, messages }),
      /larger than the max message size|too large/i,
    );
    await producer.disconnect();
  });

  it('with fewer copies than wanted stay as they are, and are not asked for more in sync than there are', async () => {
    const copies = topicTable({ prefix, roles: [], partitions: 2, replication: 3 }).filter(
      ({ name }) => name === names.missions,
    );
    const wanted = { kind: 'copies', topic: names.missions, found: 1, wanted: 3 };
    assert.deepEqual(await diffTopics(admin, copies, signal), [wanted]);
    const applied = await applyTopics(admin, copies, signal);
    assert.deepEqual(applied.configured, []);
    assert.deepEqual(
      applied.refused.map(({ drift }) => drift),
      [wanted],
    );
    assert.equal((await settingsOf(names.missions))['min.insync.replicas'], '1');
    assert.equal(await copiesLike(admin, names.missions), 1);
    assert.equal(await copiesLike(admin, `${prefix}.none`), 1);
  });

  it('say what the brokers refuse', async () => {
    const copies = topicTable({ prefix: `${prefix}.copies`, roles: [], replication: 9 });
    await assert.rejects(applyTopics(admin, copies, signal), {
      code: 'invalid_configuration',
      message: new RegExp(`${prefix}\\.copies\\.missions: Replication-factor`, 'i'),
    });
    await assert.rejects(diffTopics(admin, table, AbortSignal.abort()), { code: 'aborted' });
  });

  it('need no access rules where the broker has no authorizer', async () => {
    const acls = aclsFor(table, { prefix });
    const { applied, skipped } = await applyAcls(admin, acls, signal);
    // With an authorizer (a cluster of one's own), all are applied.
    if (skipped === null) assert.ok(applied >= acls.length);
    else assert.match(skipped, /no authorizer/);
  });
});
