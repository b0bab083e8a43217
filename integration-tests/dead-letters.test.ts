/** What nobody can process becomes a dead letter with its reason and its bytes; everything else goes on. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readTopic } from '#chassis/reader.ts';
import { type Namespace, openNamespace, scriptedTask } from './harness.ts';

interface Letter {
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

async function readLetters(space: Namespace): Promise<Letter[]> {
  const letters: Letter[] = [];
  await readTopic({
    kafka: space.context.kafka,
    topic: space.context.topics.dlq,
    prefix: space.prefix,
    until: 'end',
    signal: AbortSignal.timeout(30_000),
    each({ message }) {
      const headers = Object.fromEntries(
        Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
      );
      letters.push({ key: message.key?.toString() ?? '', value: message.value, headers });
    },
  });
  return letters;
}

test('garbage on every kind of input is buried with its reason, and the missions around it complete', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 1 });
  // Without this a schema that is unknown would be waited for.
  const policy = join(space.folder, 'retries.yaml');
  writeFileSync(policy, 'rules:\n  - { code: schema_unknown, retries: 0 }\n');
  const env = { RAVENHELM_RETRY_POLICY: policy };
  await Promise.all([space.start('orchestrator', { env }), space.start('worker', { env })]);
  const { publisher, topics, codec } = space.context;

  const wrongType = codec.encode({
    event_id: 'wrong',
    event_type: 'insight_shared',
    source_agent: 'test',
    target_agent: '',
    timestamp: 0,
    version: 1,
    correlation_id: 'wrong',
    causation_id: '',
    priority: 'normal',
    sequence: 0,
    previous_hash: '',
    payload: { pattern: 'a.b', insight: 'none', tags: [], expires_at: 0 },
  });
  const unknownId = Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0x01]), Buffer.from('whatever')]);
  const truncated = wrongType.subarray(0, wrongType.length - 3);
  const bad = new Map([
    ['garbage', { value: Buffer.from('{"not":"avro"}'), code: 'undecodable' }],
    ['truncated', { value: truncated, code: 'undecodable' }],
    ['unknown-id', { value: unknownId, code: 'schema_unknown' }],
    ['wrong-type', { value: wrongType, code: 'unexpected_type' }],
    ['large', { value: Buffer.alloc(900_000, 7), code: 'record_too_large' }],
  ]);
  const before = await space.submit({ tasks: [scriptedTask({ id: 'a', role: 'builder' })] });
  const inputs = [topics.missions, topics.reports, topics.tasks('builder')];
  for (const topic of inputs) {
    for (const [name, { value }] of bad) await publisher.send(topic, [{ key: `${name}@${topic}`, value }]);
  }
  const after = await space.submit({ tasks: [scriptedTask({ id: 'a', role: 'builder' })] });
  for (const mission of [before, after]) {
    assert.equal((await space.facts.end(mission)).event_type, 'mission_completed');
  }

  const wanted = inputs.length * bad.size;
  let letters = await readLetters(space);
  for (let i = 0; letters.length < wanted && i < 50; i++) {
    await sleep(200);
    letters = await readLetters(space);
  }
  assert.equal(letters.length, wanted);
  for (const topic of inputs) {
    for (const [name, { value, code }] of bad) {
      const letter = letters.find(({ key }) => key === `${name}@${topic}`);
      assert.ok(letter, `${name} on ${topic} is a dead letter`);
      assert.ok(letter.value?.equals(value), `${name} on ${topic}: bytes unchanged`);
      assert.equal(
        letter.headers['ravenhelm.code'],
        code,
        `${name} on ${topic}: ${letter.headers['__connect.errors.exception.message']}`,
      );
      assert.equal(letter.headers['__connect.errors.topic'], topic);
      assert.equal(Buffer.from(letter.headers['ravenhelm.key'] ?? '', 'base64').toString(), letter.key);
      assert.match(letter.headers['__connect.errors.offset'] ?? '', /^\d+$/);
    }
  }
});

test('a mission that cannot be accepted is rejected on the ledger, with the reason', {
  timeout: 60_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 2 });
  await space.start('orchestrator');
  const cyclic = await space.submit({
    tasks: [
      scriptedTask({ id: 'a', role: 'builder', needs: ['b'] }),
      scriptedTask({ id: 'b', role: 'builder', needs: ['a'] }),
    ],
  });
  const stranger = await space.submit({ tasks: [scriptedTask({ id: 'a', role: 'nobody' })] });
  const ends = [await space.facts.end(cyclic), await space.facts.end(stranger)];
  assert.deepEqual(
    ends.map((end) => (end.event_type === 'mission_rejected' ? end.payload.code : end.event_type)),
    ['invalid_plan', 'role_unknown'],
  );
});

test('a record without key and id, as rpk writes it, becomes a mission in the partition where it belongs', {
  timeout: 60_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 3 });
  await Promise.all([space.start('orchestrator'), space.start('worker')]);
  const { admin, topics } = space.context;
  const tasks = [scriptedTask({ id: 'a', role: 'builder' })];
  // One for each partition, so that at least one of them has to move.
  for (let partition = 0; partition < 3; partition++) await space.submitKeyless({ tasks }, partition);
  await space.facts.until(
    ({ all }) => all.filter(({ event }) => event.event_type === 'mission_completed').length === 3,
    'three missions completed',
  );
  const missions = new Map(space.facts.all.map(({ event, partition }) => [event.correlation_id, partition]));
  assert.equal(missions.size, 3);
  const { partitionOf } = await import('#chassis/partitioner.ts');
  for (const [mission, partition] of missions) assert.equal(partition, partitionOf(mission, 3));
  const offsets = await admin.fetchTopicOffsets(topics.dlq);
  assert.ok(offsets.every(({ high }) => high === '0'));
});
