import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { catalog, subjectOf } from '#schemas/catalog.ts';
import { aclsFor } from './acls.ts';
import {
  groupName,
  missionsSubject,
  retryDelays,
  takesRecordsBack,
  topicNames,
  topicTable,
  transactionalId,
} from './table.ts';

const prefix = 'ravenhelm';
const roles = ['cert_agent', 'env_agent', 'orchestrator'];
const names = topicNames(prefix);
const table = topicTable({ prefix, roles });
const row = (name: string) => {
  const found = table.find((spec) => spec.name === name);
  assert.ok(found, `no topic ${name}`);
  return found;
};

describe('topic table', () => {
  it('has a schema for each subject', () => {
    const known = new Set(catalog.map((entry) => subjectOf(entry, missionsSubject(prefix))));
    for (const { name, subjects } of table) {
      for (const subject of subjects) assert.ok(known.has(subject), `${name}: ${subject}`);
    }
  });

  it('lets the orchestrator alone write the ledger', () => {
    assert.deepEqual(row(names.coordination).writers, ['orchestrator']);
    const may = aclsFor(table, { prefix }).filter(
      (acl) => acl.name === names.coordination && acl.operations.includes('write'),
    );
    assert.deepEqual(
      may.map(({ principal }) => principal),
      ['User:orchestrator'],
    );
  });

  it('takes records back only where the retrier may write, and never on the ledger', () => {
    const inputs = table.filter(({ name }) => takesRecordsBack(names, name));
    const own = new Set([names.dlq, names.dlqEvents, names.health, names.state('retrier')]);
    for (const { name } of inputs) assert.ok(row(name).writers.includes('retrier'), name);
    for (const { name, writers } of table) {
      if (own.has(name) || name.includes('.retry.') || !writers.includes('retrier')) continue;
      assert.ok(takesRecordsBack(names, name), name);
    }
    assert.ok(!takesRecordsBack(names, names.coordination));
  });

  it('keeps the ledger for ever', () => {
    const { config, retentionMs } = row(names.coordination);
    assert.equal(retentionMs, -1);
    assert.equal(config['retention.ms'], '-1');
    assert.equal(config['cleanup.policy'], 'delete');
  });

  it('gives each changelog one service, which writes and reads it', () => {
    const workers = roles.map((role) => `worker-${role}`);
    const services = ['orchestrator', 'correlator', 'statistics', 'statistics-roles', 'retrier', ...workers];
    for (const service of services) {
      const { writers, readers, cleanup } = row(names.state(service));
      assert.deepEqual([writers, readers, cleanup], [[service], [service], 'compact']);
    }
    const changelogs = table.filter(({ name }) => name.endsWith('.state'));
    assert.equal(changelogs.length, services.length);
  });

  it('has as many partitions in each topic of a set', () => {
    for (const partitions of [1, 3, 12]) {
      const sets = new Map<string, Map<string, number>>();
      for (const { name, together, partitions: count } of topicTable({ prefix, roles, partitions })) {
        if (together === null) continue;
        sets.set(together, (sets.get(together) ?? new Map()).set(name, count));
      }
      for (const [set, counts] of sets) assert.equal(new Set(counts.values()).size, 1, set);
      const states = ['orchestrator', 'correlator', 'statistics'].map((service) => names.state(service));
      const mission = [names.missions, names.reports, names.coordination, ...states];
      assert.deepEqual([...(sets.get('mission') ?? new Map()).keys()].sort(), mission.sort());
      const worker = [names.tasks('cert_agent'), names.state('worker-cert_agent')];
      assert.deepEqual([...(sets.get('worker-cert_agent') ?? new Map()).keys()].sort(), worker.sort());
    }
  });

  it('has a writer and a reader for each topic', () => {
    for (const { name, writers, readers } of table) {
      assert.ok(writers.length > 0, `nobody writes ${name}`);
      assert.ok(readers.length > 0, `nobody reads ${name}`);
    }
  });

  it('has no topic twice', () => {
    assert.equal(new Set(table.map(({ name }) => name)).size, table.length);
  });

  it('has only names that a broker takes', () => {
    for (const { name } of table) assert.match(name, /^[a-z][A-Za-z0-9._-]*$/);
    const wrong = { code: 'invalid_configuration', message: /'ravenhelm\.squad\.tasks\.a b', expected/ };
    assert.throws(() => topicTable({ prefix, roles: ['a b'] }), wrong);
    assert.throws(() => topicTable({ prefix: 'x'.repeat(250), roles: [] }), {
      code: 'invalid_configuration',
    });
  });

  it('takes a dead letter of the largest record that any topic takes, with its headers', () => {
    const limit = (name: string) => Number(row(name).config['max.message.bytes']);
    for (const { name, config } of table) {
      if (config['max.message.bytes'] === '1048576') assert.ok(limit(names.dlq) >= 2 * limit(name), name);
    }
  });

  it('lets compaction reach a busy changelog soon', () => {
    const { config } = row(names.state('orchestrator'));
    assert.ok(Number(config['segment.bytes']) <= 16 * 1024 * 1024);
    assert.ok(Number(config['segment.ms']) <= 10 * 60 * 1000);
    assert.ok(Number(config['min.cleanable.dirty.ratio']) <= 0.2);
  });

  it('waits for two of three copies, and for one where there is one', () => {
    assert.equal(
      row(names.coordination).config['min.insync.replicas'],
      '1',
      'whatever the brokers want of others',
    );
    const two = topicTable({ prefix, roles, replication: 2 });
    for (const { config } of two)
      assert.equal(config['min.insync.replicas'], undefined, 'as the brokers have it');
    const copied = topicTable({ prefix, roles, replication: 3 });
    for (const { config, replication } of copied) {
      assert.deepEqual([replication, config['min.insync.replicas']], [3, '2']);
    }
  });

  it('shares no name with another namespace', () => {
    const other = topicTable({ prefix: 'test-1', roles });
    const ours = new Set(table.map(({ name }) => name));
    assert.deepEqual(
      other.filter(({ name }) => ours.has(name)),
      [],
    );
    assert.equal(groupName(prefix, 'worker-cert_agent'), 'worker-cert_agent');
    assert.equal(groupName('test-1', 'worker-cert_agent'), 'test-1.worker-cert_agent');
  });
});

describe('access', () => {
  const acls = aclsFor(table, { prefix });
  const of = (principal: string) => acls.filter((acl) => acl.principal === principal);

  it('is what the table says and nothing more', () => {
    for (const acl of acls.filter(({ resource }) => resource === 'topic')) {
      const service = acl.principal.slice('User:'.length);
      const { writers, readers } = row(acl.name);
      for (const operation of acl.operations) {
        if (operation === 'write') assert.ok(writers.some((writer) => writer === service));
        if (operation === 'read') assert.ok(readers.some((reader) => reader === service));
      }
      assert.equal(acl.pattern, 'literal');
    }
    const topics = (principal: string, operation: 'read' | 'write') =>
      of(principal).flatMap(({ resource, name, operations }) =>
        resource === 'topic' && operations.includes(operation) ? [name] : [],
      );
    assert.deepEqual(topics('User:person', 'write'), [names.missions, names.reactions, names.dlqRequests]);
    assert.ok(!topics('User:worker-cert_agent', 'read').includes(names.tasks('env_agent')));
  });

  it('gives each service what it writes and reads, and nothing more', () => {
    const may = (service: string, operation: 'read' | 'write') =>
      of(`User:${service}`)
        .flatMap(({ resource, name, operations }) =>
          resource === 'topic' && operations.includes(operation) ? [name] : [],
        )
        .sort();
    const { missions, reports, coordination, steps, status, health, knowledge, reactions, dlq } = names;
    const { dlqRequests, dlqEvents } = names;
    const retries = retryDelays.map(names.retry);
    const [tasks, worker] = [roles.map(names.tasks), 'worker-cert_agent'];
    const own = names.state('orchestrator');
    assert.deepEqual(
      may('orchestrator', 'write'),
      [missions, reports, coordination, status, health, dlq, own, ...tasks, ...retries].sort(),
    );
    assert.deepEqual(may('orchestrator', 'read'), [missions, reports, health, own].sort());
    assert.deepEqual(
      may(worker, 'write'),
      [reports, steps, health, knowledge, dlq, names.state(worker), ...retries].sort(),
    );
    assert.deepEqual(
      may(worker, 'read'),
      [names.tasks('cert_agent'), names.state(worker), steps, knowledge].sort(),
    );
    const correlator = names.state('correlator');
    assert.deepEqual(may('correlator', 'write'), [missions, reports, health, dlq, correlator].sort());
    assert.deepEqual(may('correlator', 'read'), [coordination, reactions, correlator].sort());
    const statistics = names.state('statistics');
    assert.deepEqual(may('statistics', 'write'), [names.roleParts, health, dlq, statistics].sort());
    assert.deepEqual(may('statistics', 'read'), [coordination, statistics].sort());
    const sums = names.state('statistics-roles');
    assert.deepEqual(may('statistics-roles', 'write'), [names.roles, dlq, sums].sort());
    assert.deepEqual(may('statistics-roles', 'read'), [names.roleParts, sums].sort());
    assert.deepEqual([may('supervisor', 'write'), may('supervisor', 'read')], [[health], []]);
    assert.deepEqual(may('projector', 'write'), [health]);
    assert.deepEqual(may('projector', 'read'), [coordination, steps, health, dlq, dlqEvents].sort());
    assert.deepEqual(may('person', 'write'), [missions, reactions, dlqRequests].sort());
    assert.deepEqual(
      may('person', 'read'),
      [
        ...[missions, coordination, steps, status, health, reactions],
        ...[names.roles, dlq, dlqRequests, dlqEvents],
      ].sort(),
    );
    const letters = names.state('retrier');
    assert.deepEqual(may('retrier', 'read'), [dlq, dlqRequests, letters, ...retries].sort());
    assert.deepEqual(
      may('retrier', 'write'),
      [missions, reports, dlq, dlqRequests, dlqEvents, letters, health, ...tasks, ...retries].sort(),
    );
    assert.deepEqual(
      [...new Set(acls.map(({ principal }) => principal))].sort(),
      [
        'correlator',
        'orchestrator',
        'person',
        'projector',
        'retrier',
        'statistics',
        'statistics-roles',
        'supervisor',
        ...roles.map((role) => `worker-${role}`),
      ].map((service) => `User:${service}`),
    );
  });

  it('covers every group that code makes besides those of the services', () => {
    const sources = [
      'services/chassis/reader.ts',
      'services/chassis/follow-topic.ts',
      'services/projector/rebuild.ts',
    ];
    for (const file of sources) {
      const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
      for (const [, begins] of text.matchAll(/groupId(?: =|:) `\$\{[\w.]+\}\.([\w-]+)/g)) {
        assert.ok(begins?.startsWith('reader-'), `${file}: ${begins}`);
      }
      assert.match(text, /groupId(?: =|:) `/, file);
    }
    const groups = of('User:person').filter(({ resource }) => resource === 'group');
    assert.ok(groups.some(({ name, pattern }) => name === `${prefix}.reader-` && pattern === 'prefixed'));
  });

  it('covers the transactional ids of a service and of no other', () => {
    const covers = (principal: string, id: string) =>
      of(principal).some(({ resource, name }) => resource === 'transactional_id' && id.startsWith(name));
    assert.ok(covers('User:orchestrator', transactionalId(prefix, 'orchestrator', 3, 1)));
    assert.ok(covers('User:worker-cert_agent', transactionalId(prefix, 'worker-cert_agent', 0, 0)));
    assert.ok(!covers('User:worker-cert_agent', transactionalId(prefix, 'worker-cert_agent2', 0, 0)));
    assert.ok(!covers('User:person', transactionalId(prefix, 'orchestrator', 0, 0)));
    assert.ok(!covers('User:projector', transactionalId(prefix, 'projector', 0, 0)));
  });

  it('can give one principal to all workers of a process', () => {
    const one = aclsFor(table, { prefix, principalOf: (service) => `User:${service.split('-')[0]}` });
    assert.ok(
      one.some(({ principal, name }) => principal === 'User:worker' && name === names.tasks('env_agent')),
    );
  });
});
