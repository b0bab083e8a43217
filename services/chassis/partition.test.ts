import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { Failure } from './failures.ts';
import type { OutgoingRecord } from './outbox.ts';
import { answered, PartitionHarness, passing } from './partition-harness.ts';
import type { PartitionLogic } from './processor.ts';

const out = 'out';
const keys = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `r${from + i}`);
const holds = (records: readonly OutgoingRecord[], key: string) =>
  records.some(({ topic, message }) => topic === out && String(message.key) === key);

async function started(
  t: { after(run: () => Promise<void>): void },
  logic: (harness: PartitionHarness) => PartitionLogic = () => passing(out),
  more: ConstructorParameters<typeof PartitionHarness>[1] = {},
): Promise<PartitionHarness> {
  const harness = new PartitionHarness(logic, more);
  t.after(() => harness.partition.close(0));
  await harness.partition.acquire();
  return harness;
}

test('an input whose output the broker refuses becomes a dead letter, and the inputs around it go on', async (t) => {
  const harness = await started(t);
  harness.refuse = (records) => {
    if (holds(records, 'r3')) throw answered('MESSAGE_TOO_LARGE');
  };
  harness.give(...keys(0, 8));
  await harness.until(() => harness.sent(out).includes('r7'), 'r7');
  assert.deepEqual(harness.sent(out), ['r0', 'r1', 'r2', 'r4', 'r5', 'r6', 'r7']);
  assert.deepEqual(harness.sent(harness.topics.dlq), ['r3']);
  const letter = harness.committed.flat().find(({ topic }) => topic === harness.topics.dlq);
  assert.equal(letter?.message.headers?.['ravenhelm.code'], 'output_refused');
  assert.match(String(letter?.message.headers?.['__connect.errors.exception.message']), /MESSAGE_TOO_LARGE/);
  assert.equal(harness.acquisitions, 3, 'one for the group, one for the culprit');
  assert.deepEqual(harness.crashes, []);
});

test('inputs that come behind the culprit meanwhile are not tried with it', async (t) => {
  const harness = await started(t);
  harness.refuse = (records) => {
    if (!holds(records, 'r1')) return;
    if (harness.acquisitions === 1) harness.give('r2', 'r3');
    throw answered('MESSAGE_TOO_LARGE');
  };
  harness.give('r0', 'r1');
  await harness.until(() => harness.sent(out).includes('r3'), 'r3');
  assert.deepEqual(harness.sent(harness.topics.dlq), ['r1']);
  assert.equal(harness.acquisitions, 3);
});

test('behind the culprit, inputs are committed in groups again', async (t) => {
  const harness = await started(t);
  harness.refuse = (records) => {
    if (holds(records, 'r0')) throw answered('RECORD_LIST_TOO_LARGE');
  };
  harness.give('r0', 'r1');
  await harness.until(() => harness.sent(out).includes('r1'), 'r1');
  const before = harness.commits;
  harness.give(...keys(2, 200));
  await harness.until(() => harness.sent(out).includes('r199'), 'r199');
  assert.ok(harness.commits - before < 20, `${harness.commits - before} commits for 198 inputs`);
});

test('errors that pass never make a dead letter', async (t) => {
  const harness = await started(t);
  const passes = [
    'NOT_ENOUGH_REPLICAS',
    'NOT_LEADER_FOR_PARTITION',
    'INVALID_PRODUCER_EPOCH',
    'REQUEST_TIMED_OUT',
  ];
  harness.refuse = (records) => {
    const type = holds(records, 'r0') ? passes.shift() : undefined;
    if (type !== undefined) throw answered(type);
  };
  harness.give('r0', 'r1');
  await harness.until(() => harness.sent(out).length === 2, 'both');
  assert.deepEqual(harness.sent(harness.topics.dlq), []);
});

test('a missing topic is waited for, and only then its input is put aside, to be tried again', async (t) => {
  const harness = await started(t);
  const began = performance.now();
  harness.refuse = (records) => {
    if (holds(records, 'r1')) throw answered('UNKNOWN_TOPIC_OR_PARTITION');
  };
  harness.give('r0', 'r1', 'r2');
  await harness.until(() => harness.sent(out).includes('r2'), 'r2');
  assert.ok(performance.now() - began >= 600, 'once for the group and once for the culprit');
  const [aside] = harness.committed.flat().filter(({ topic }) => topic === harness.topics.retry('1s'));
  assert.equal(aside?.message.headers?.['ravenhelm.code'], 'topic_missing');
  assert.deepEqual(harness.sent(out), ['r0', 'r2']);
});

test('a topic that comes back in time costs no input', async (t) => {
  const harness = await started(t);
  let failures = 2;
  harness.refuse = (records) => {
    if (holds(records, 'r0') && failures-- > 0) throw answered('UNKNOWN_TOPIC_OR_PARTITION');
  };
  harness.give('r0', 'r1');
  await harness.until(() => harness.sent(out).length === 2, 'both');
  assert.equal(harness.committed.flat().length, 2);
});

test('what can never be committed is not ready, is tried ever more slowly, and ends the process', async (t) => {
  const harness = await started(t);
  // The dead letter is refused as well.
  harness.refuse = (records) => {
    if (records.some(({ topic }) => topic !== harness.topics.state('harness')))
      throw answered('MESSAGE_TOO_LARGE');
  };
  harness.give('r0');
  await harness.until(() => harness.acquisitions >= 5, 'fifth acquisition');
  assert.ok(!harness.partition.ready);
  assert.equal(harness.crashes.length, 0);
  harness.ahead = 90_000;
  await harness.until(() => harness.crashes.length > 0, 'crash');
  assert.ok(harness.acquisitions <= 8, `${harness.acquisitions} acquisitions`);
  assert.match(harness.crashes[0]?.message ?? '', /MESSAGE_TOO_LARGE/);
});

test('a partition that has recovered is ready', async (t) => {
  const harness = await started(t);
  let failures = 3;
  harness.refuse = (records) => {
    if (holds(records, 'r0') && failures-- > 0) throw answered('NOT_ENOUGH_REPLICAS');
  };
  harness.give('r0');
  await harness.until(() => harness.sent(out).length === 1, 'r0');
  assert.ok(harness.partition.ready);
});

for (const barrier of [true, false]) {
  test(`timers whose records are refused stop no input, and end the process at last (${barrier ? 'with' : 'without'} barriers)`, async (t) => {
    let rings = 0;
    const logic = (): PartitionLogic => ({
      ...passing(out),
      nextAlarm: () => 1,
      alarm(_now, outbox) {
        rings += 1;
        outbox.send(out, { key: 'timer', value: Buffer.from('timer') });
      },
    });
    const harness = new PartitionHarness(logic, { barrier });
    t.after(() => harness.partition.close(0));
    harness.refuse = (records) => {
      if (holds(records, 'timer')) throw answered('MESSAGE_TOO_LARGE');
    };
    await harness.partition.acquire();
    harness.give(...keys(0, 5));
    await harness.until(() => harness.sent(out).length === 5, 'all inputs');
    assert.deepEqual(harness.sent(harness.topics.dlq), []);
    for (let i = 0; harness.crashes.length === 0 && i < 30; i++) {
      harness.ahead += 10_000;
      harness.give(`more${i}`);
      const before = rings;
      await harness.until(() => rings > before || harness.crashes.length > 0, 'ring');
    }
    assert.match(harness.crashes[0]?.message ?? '', /MESSAGE_TOO_LARGE/);
    assert.ok(rings >= 3);
  });
}

test('a stale batch that the client drops does not skip its inputs', async (t) => {
  const harness = await started(t);
  harness.serving = false;
  harness.give(...keys(0, 5));
  harness.offer(0, 2);
  // The client drops 2 and 3 because it is to seek, and says all the same that it is done with them.
  harness.partition.seekInputs();
  harness.partition.batchEnded(harness.input, { batchSize: 2, firstOffset: '2', lastOffset: '3' });
  harness.offer(2, 5);
  await harness.until(() => harness.sent(out).includes('r4'), 'r4');
  assert.deepEqual(harness.sent(out), keys(0, 5));
});

test('a stale batch that the client hands over after a seek skips no inputs, and repeats none', async (t) => {
  const harness = await started(t);
  harness.serving = false;
  harness.give(...keys(0, 6));
  harness.offer(0, 2);
  harness.partition.seekInputs();
  harness.offer(4, 6);
  harness.offer(0, 2);
  harness.offer(2, 6);
  await harness.until(() => harness.sent(out).includes('r5'), 'r5');
  assert.deepEqual(harness.sent(out), keys(0, 6));
});

test('an input topic that is made anew under the partition is read from its beginning', async (t) => {
  const harness = await started(t);
  harness.give(...keys(0, 20));
  await harness.until(() => harness.sent(out).length === 20, 'all of the old topic');
  harness.serving = false;
  harness.logs.set(harness.input, []);
  harness.give('new0', 'new1');
  // The client, told to read from 20, finds that out of range, and begins at the beginning.
  for (let i = 0; i < 9; i++) harness.offer(0, 2);
  harness.serving = true;
  await harness.until(() => harness.sent(out).includes('new1'), 'new1');
  assert.deepEqual(harness.sent(out).slice(20), ['new0', 'new1']);
});

test('with the registry away, a record of an unknown schema pauses its partition, which keeps its state', async (t) => {
  let away = true;
  let asked = 0;
  const codec = createCodec(numberedIds(), () => {
    asked += 1;
    if (away) return Promise.reject(new Failure('registry_unavailable', 'away'));
    return Promise.resolve(null);
  });
  const handled: string[] = [];
  const logic = (): PartitionLogic => ({
    ...passing(out),
    handle({ key }) {
      handled.push(key ?? '');
      return 'lazy';
    },
  });
  const harness = await started(t, logic, { codec, raw: false });
  harness.write(harness.input, 'strange', Buffer.from([0, 0x7f, 0, 0, 1, 1]));
  await harness.until(() => asked >= 3, 'third try');
  assert.equal(harness.acquisitions, 1);
  assert.ok(!harness.partition.ready);
  away = false;
  const put = () => harness.committed.flat().filter(({ topic }) => topic === harness.topics.retry('1s'));
  await harness.until(() => put().length === 1, 'the record put aside');
  assert.equal(put()[0]?.message.headers?.['ravenhelm.code'], 'schema_unknown');
  assert.equal(harness.acquisitions, 1);
  assert.ok(harness.partition.ready);
});

test('a partition that is closed while it fences opens nothing and moves nothing', async () => {
  let opened = 0;
  const harness = new PartitionHarness(() => {
    opened += 1;
    return passing(out);
  });
  const acquiring = harness.partition.acquire();
  await harness.partition.close(0);
  await acquiring;
  assert.equal(opened, 0);
  assert.equal(harness.commits, 0);
});
