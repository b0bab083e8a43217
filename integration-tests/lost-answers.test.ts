/** An answer that is lost neither loses nor repeats a record: neither of the publisher nor of a transaction. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '#chassis/config.ts';
import { Failure } from '#chassis/failures.ts';
import { openLog } from '#chassis/log.ts';
import type { Outbox } from '#chassis/outbox.ts';
import type { InputRecord, PartitionLogic } from '#chassis/processor.ts';
import { readTopic } from '#chassis/reader.ts';
import { openContext, transactionalIds } from '#chassis/service.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import type { Codec } from '#schemas/codec.ts';
import { type Namespace, openNamespace } from './harness.ts';
import { api, LossyNetwork } from './lossy-network.ts';

interface Lossy {
  readonly network: LossyNetwork;
  readonly context: ServiceContext;
  readonly crashes: readonly Failure[];
}

/** Runs `use` with clients whose answers can be lost, and closes them while the network still stands. */
async function withLossyNetwork(space: Namespace, use: (lossy: Lossy) => Promise<void>): Promise<void> {
  const config = readConfig(space.env);
  const network = new LossyNetwork();
  await network.through(config.KAFKA_BROKERS);
  const crashes: Failure[] = [];
  const log = openLog('lossy', process.env['LOSSY_LOG'] ?? 'silent');
  const { socketFactory } = network;
  const context = await openContext('lossy', config, log, (failure) => crashes.push(failure), {
    socketFactory,
  });
  try {
    await use({ network, context, crashes });
  } finally {
    await context.publisher.close(1000);
    await context.admin.disconnect();
    await network.close();
  }
}

/** An event that carries a number. */
function numbered(codec: Codec, n: number): Buffer {
  return codec.encode({
    event_id: String(n),
    event_type: 'insight_shared',
    source_agent: 'test',
    target_agent: '',
    timestamp: 0,
    version: 1,
    correlation_id: 'numbers',
    causation_id: '',
    priority: 'normal',
    sequence: n,
    previous_hash: '',
    payload: { pattern: 'n', insight: '', tags: [], expires_at: 0 },
  });
}

function numberIn(codec: Codec, bytes: Buffer): number {
  const { value } = codec.decode(bytes);
  return 'sequence' in value ? value.sequence : -1;
}

async function readNumbers(space: Namespace, topic: string): Promise<number[]> {
  const { kafka, codec } = space.context;
  const numbers: number[] = [];
  await readTopic({
    kafka,
    topic,
    prefix: space.prefix,
    until: 'end',
    signal: AbortSignal.timeout(60_000),
    each({ message }) {
      if (message.value !== null) numbers.push(numberIn(codec, message.value));
    },
  });
  return numbers;
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

test('the publisher: sends that overlap, and answers that are lost among them', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['echo'], partitions: 1 });
  await withLossyNetwork(space, async ({ network, context }) => {
    const { publisher, codec, topics } = context;
    const sends: Promise<unknown>[] = [];
    for (let n = 1; n <= 400; n++) {
      if (n % 40 === 0) network.loseNext(api.Produce);
      sends.push(publisher.send(topics.steps, [{ key: 'k', value: numbered(codec, n), partition: 0 }]));
      if (n % 3 === 0) await sleep(1);
    }
    await Promise.all(sends);
    assert.ok((network.lost.get(api.Produce) ?? 0) >= 5, 'answers were lost');
    assert.deepEqual(await readNumbers(space, topics.steps), upTo(400));
  });
});

/** Numbers what it reads, with the count as its state: one output for each input, in order, or the count is wrong. */
class Counting implements PartitionLogic {
  private count = 0;
  private changed = false;
  private readonly context: ServiceContext;
  private readonly committed: (count: number) => void;

  constructor(context: ServiceContext, committed: (count: number) => void) {
    this.context = context;
    this.committed = committed;
  }

  restore(_key: string, value: Buffer | null): void {
    this.count = Number(value?.toString() ?? 0);
  }

  restored(): void {}

  ready(): boolean {
    return true;
  }

  handle(record: InputRecord, _now: number, out: Outbox) {
    const { codec, topics } = this.context;
    const found = numberIn(codec, record.bytes);
    assert.equal(found, this.count + 1);
    this.count = found;
    this.changed = true;
    out.send(topics.steps, { key: 'k', value: numbered(codec, found), partition: 0 });
    out.afterCommit(() => this.committed(found));
    return 'urgent' as const;
  }

  nextAlarm(): null {
    return null;
  }

  alarm(): void {}

  *changes(): Iterable<readonly [string, Buffer]> {
    if (this.changed) yield ['count', Buffer.from(String(this.count))];
    this.changed = false;
  }

  close(): void {}
}

test('a service: each answer that it waits for is lost in turn, and every input has one output', {
  timeout: 180_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['echo'], partitions: 1 });
  await withLossyNetwork(space, async ({ network, context, crashes }) => {
    const { topics, config } = context;
    const requests = [
      api.Produce,
      api.AddPartitionsToTxn,
      api.EndTxn,
      api.FindCoordinator,
      api.Heartbeat,
      api.OffsetCommit,
    ];
    const rounds = 4;
    let sent = 0;
    let committed = 0;
    const consumer = await context.consume({
      service: 'worker-echo',
      inputs: [topics.tasks('echo')],
      stateTopic: topics.state('worker-echo'),
      barrierTopic: null,
      transactionalIds: transactionalIds(config.RAVENHELM_PREFIX, 'worker-echo', 2),
      open: () => new Counting(context, (count) => (committed = Math.max(committed, count))),
    });
    try {
      const send = async () => {
        sent += 1;
        const value = numbered(space.context.codec, sent);
        await space.context.publisher.send(topics.tasks('echo'), [{ key: 'k', value, partition: 0 }]);
      };
      const until = async (done: () => boolean, deadlineMs: number) => {
        for (let waited = 0; !done() && waited < deadlineMs; waited += 5) await sleep(5);
      };
      for (let round = 0; round < rounds; round++) {
        for (const request of requests) {
          const before = network.lost.get(request) ?? 0;
          network.loseNext(request);
          for (let i = 0; i < 5; i++) await send();
          await until(() => (network.lost.get(request) ?? 0) > before, 3000);
          for (let i = 0; i < 5; i++) await send();
          await until(() => committed === sent, 30_000);
          assert.equal(committed, sent, `went on after a lost answer to request ${request}`);
        }
      }
      assert.deepEqual(await readNumbers(space, topics.steps), upTo(sent));
    } finally {
      await consumer.stop(2000);
    }
    assert.deepEqual(crashes, []);
    const lost = Object.entries(api).map(([name, request]) => `${name} ${network.lost.get(request) ?? 0}`);
    t.diagnostic(`answers lost: ${lost.join(', ')}`);
    for (const request of [api.Produce, api.AddPartitionsToTxn, api.EndTxn]) {
      assert.ok((network.lost.get(request) ?? 0) >= rounds / 2, `answers to request ${request} were lost`);
    }
  });
});
