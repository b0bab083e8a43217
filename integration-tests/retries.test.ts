/** A record that its handler cannot take now waits in a topic of retries, and comes back when it is due. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '#chassis/config.ts';
import type { Consumer } from '#chassis/consumer.ts';
import { Failure } from '#chassis/failures.ts';
import { openLog } from '#chassis/log.ts';
import type { InputRecord } from '#chassis/processor.ts';
import { openContext, transactionalIds } from '#chassis/service.ts';
import { type Namespace, openNamespace } from './harness.ts';
import { all, atLeast, headerOf, insight } from './letters.ts';

interface Taken {
  readonly id: string;
  readonly at: number;
  readonly partition: number;
}

/**
 * A service of the test's own, on the real chassis, in the place of the workers of the role `flaky`: it takes events
 * of any type, and fails where the test says so.
 */
async function flaky(
  space: Namespace,
  fails: (id: string, time: number) => Failure | null,
): Promise<{ taken: Taken[]; times: Map<string, number[]>; stop(): Promise<void> }> {
  const { topics } = space.context;
  const context = await openContext('flaky', readConfig(space.env), openLog('flaky', 'silent'), (failure) => {
    throw failure;
  });
  const taken: Taken[] = [];
  const times = new Map<string, number[]>();
  const consumer: Consumer = await context.consume({
    service: 'worker-flaky',
    inputs: [topics.tasks('flaky')],
    stateTopic: topics.state('worker-flaky'),
    barrierTopic: null,
    transactionalIds: transactionalIds(space.prefix, 'worker-flaky', 2),
    open: (partition) => ({
      restore() {},
      restored() {},
      ready: () => true,
      handle({ decoded }: InputRecord, now, out) {
        const id = 'event_id' in decoded.value ? decoded.value.event_id : '';
        const before = times.get(id) ?? [];
        times.set(id, [...before, now]);
        const failure = fails(id, before.length + 1);
        if (failure !== null) throw failure;
        out.afterCommit(() => taken.push({ id, at: now, partition }));
        return 'urgent';
      },
      nextAlarm: () => null,
      alarm() {},
      changes: () => [],
      close() {},
    }),
  });
  const stop = async () => {
    await consumer.stop(5000);
    await context.publisher.close(1000);
    await context.admin.disconnect();
  };
  return { taken, times, stop };
}

async function send(space: Namespace, key: string, ids: readonly string[]): Promise<void> {
  const { codec, publisher, topics } = space.context;
  const records = ids.map((id) => ({
    key,
    value: codec.encode(insight(id)),
    headers: { traceparent: `t-${id}` },
  }));
  await publisher.send(topics.tasks('flaky'), records);
}

async function until(look: () => boolean, what: string, deadlineMs = 60_000): Promise<void> {
  for (const deadline = Date.now() + deadlineMs; !look(); await sleep(50)) {
    if (Date.now() > deadline) throw new Error(`no ${what} in ${deadlineMs} ms`);
  }
}

const broken = () => new Failure('handler_failed', 'not now');

async function open(t: TestContext, policy?: string): Promise<Namespace> {
  const space = await openNamespace(t, { roles: ['flaky'], partitions: 2 });
  if (policy !== undefined) {
    const file = join(space.folder, 'retries.yaml');
    writeFileSync(file, policy);
    space.env['RAVENHELM_RETRY_POLICY'] = file;
  }
  await space.start('retrier');
  return space;
}

test('a record that fails twice is handled after its delays, in its partition, and others go past it', {
  timeout: 120_000,
}, async (t) => {
  const space = await open(t);
  const service = await flaky(space, (id, time) => (id === 'bad' && time <= 2 ? broken() : null));
  space.beforeClose(service.stop);
  await send(space, 'm-1/a', ['bad']);
  await until(() => service.times.has('bad'), 'first try');
  await send(space, 'm-2/a', ['other']);
  await until(() => service.taken.some(({ id }) => id === 'bad'), 'the record');
  const [first = 0, second = 0, third = 0] = service.times.get('bad') ?? [];
  assert.ok(second - first >= 1000, `the second try after ${second - first} ms`);
  assert.ok(third - second >= 2000, `the third try after ${third - second} ms`);
  assert.deepEqual(
    service.taken.map(({ id }) => id),
    ['other', 'bad'],
  );
  const sent = await all(space, space.context.topics.tasks('flaky'));
  const tries = sent.filter(({ message }) => message.key?.toString() === 'm-1/a');
  assert.equal(tries.length, 3);
  assert.equal(new Set(tries.map(({ partition }) => partition)).size, 1);
  assert.deepEqual(
    tries.map((each) => headerOf(each, 'traceparent')),
    ['t-bad', 't-bad', 't-bad'],
  );
  assert.deepEqual(
    tries.map((each) => headerOf(each, 'ravenhelm.attempts')),
    ['', '1', '2'],
  );
  assert.equal((await all(space, space.context.topics.dlq)).length, 0);
});

test('when its attempts are used up it is a dead letter that tells of the first time', {
  timeout: 120_000,
}, async (t) => {
  const space = await open(t, 'rules:\n  - { code: handler_failed, role: flaky, retries: 1 }\n');
  const service = await flaky(space, () => broken());
  space.beforeClose(service.stop);
  await send(space, 'm-1/a', ['never']);
  const [letter] = await atLeast(space, space.context.topics.dlq, 1);
  assert.ok(letter);
  const [first] = await all(space, space.context.topics.tasks('flaky'));
  assert.ok(letter.message.value?.equals(first?.message.value ?? Buffer.alloc(0)));
  assert.equal(headerOf(letter, 'ravenhelm.attempts'), '2');
  assert.equal(headerOf(letter, 'ravenhelm.code'), 'handler_failed');
  assert.equal(headerOf(letter, 'ravenhelm.event_id'), 'never');
  assert.equal(headerOf(letter, 'traceparent'), 't-never');
  assert.equal(headerOf(letter, '__connect.errors.offset'), String(first?.offset));
  assert.equal(headerOf(letter, '__connect.errors.partition'), String(first?.partition));
  assert.equal(service.times.get('never')?.length, 2);
});

test('records of a key keep their order behind one that waits, also over a restart', {
  timeout: 120_000,
}, async (t) => {
  const space = await open(t);
  const fails = (id: string, time: number) => (id === 'k1' && time <= 2 ? broken() : null);
  const before = await flaky(space, fails);
  await send(space, 'm-1/a', ['k1', 'k2']);
  await send(space, 'm-2/a', ['o1', 'o2']);
  await until(() => before.times.has('k1') && before.taken.length === 2, 'the first try and the others');
  await before.stop();
  assert.deepEqual(
    before.taken.map(({ id }) => id),
    ['o1', 'o2'],
  );
  // Only its changelog tells the next owner that k1 waits.
  const after = await flaky(space, (id, time) => fails(id, time + 1));
  space.beforeClose(after.stop);
  await send(space, 'm-1/a', ['k3']);
  await until(() => after.taken.length >= 3, 'the three records', 60_000);
  assert.deepEqual(
    after.taken.map(({ id }) => id),
    ['k1', 'k2', 'k3'],
  );
  await send(space, 'm-1/a', ['k4']);
  await until(() => after.taken.length >= 4, 'a record when nothing waits any more', 5000);
  assert.equal(after.times.get('k4')?.length, 1);
  assert.equal((await all(space, space.context.topics.dlq)).length, 0);
});
