import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createSend, type SendParts, type SendRequest } from './kafkajs-sends.ts';

/** What a broker does with the produce requests that it gets, one after the other: nothing more once it is used up. */
type Act =
  | 'take'
  /** It writes, and its answer is lost. */
  | 'lose-answer'
  /** The request never arrives. */
  | 'lose-request'
  /** Partition 0 has moved to the next broker; what else was asked is written. */
  | 'move'
  /** It takes nothing, for a reason that passes. */
  | 'too-few-replicas';

const codes = { NOT_LEADER: 6, NOT_ENOUGH_REPLICAS: 19, OUT_OF_ORDER: 45, TOO_LARGE: 10, CONCURRENT: 51 };
const partitions = 4;
const largest = 1000;

/** Three brokers that lead the partitions of topic `t`, as strict about sequence numbers as Kafka. */
class Brokers {
  readonly logs = Array.from({ length: partitions }, (): string[] => []);
  readonly events: string[] = [];
  busy = 0;
  private readonly acts: readonly Act[][];
  private readonly leaders = Array.from({ length: partitions }, (_, partition) => partition % 3);
  private known: readonly number[] = [...this.leaders];
  private readonly next = new Map<string, number>();
  private producer = 1;
  private sequences = new Map<number, number>();
  asking = 0;

  constructor(acts: readonly (readonly Act[])[]) {
    this.acts = acts.map((each) => [...each]);
  }

  /** kafkajs's parts of a send, with these brokers behind them. */
  parts(transactional: boolean, tries = 40): SendParts {
    return {
      cluster: {
        targetTopics: new Set(),
        addMultipleTargetTopics: async () => {},
        refreshMetadataIfNecessary: async () => {},
        refreshMetadata: async () => {
          assert.equal(this.asking, 0, 'asked for leaders while a broker had yet to answer');
          this.known = [...this.leaders];
        },
        findTopicPartitionMetadata: () => this.known.map((leader, partitionId) => ({ partitionId, leader })),
        findBroker: async ({ nodeId }) => this.broker(nodeId),
      },
      partitioner: ({ message }) => Number(String(message.value).split(':')[0]),
      eosManager: {
        isTransactional: () => transactional,
        getTransactionalId: () => 'one',
        getProducerId: () => String(this.producer),
        getProducerEpoch: () => 0,
        getSequence: (_, partition) => this.sequences.get(partition) ?? 0,
        updateSequence: (_, partition, by) =>
          void this.sequences.set(partition, (this.sequences.get(partition) ?? 0) + by),
        initProducerId: async () => {
          this.producer += 1;
          this.sequences = new Map();
        },
        addPartitionsToTransaction: async (topics) => {
          this.events.push(
            `add ${topics.map((topic) => topic.partitions.map((each) => each.partition).join())}`,
          );
          if (this.busy-- > 0) throw failed('CONCURRENT_TRANSACTIONS');
        },
      },
      retrier: async (run) => {
        let error: unknown;
        for (let n = 0; n < tries; n++) {
          let bailed: unknown;
          try {
            return await run((why) => (bailed = why));
          } catch (why) {
            if (bailed !== undefined) throw bailed;
            error = why;
          }
        }
        throw error;
      },
    };
  }

  private broker(nodeId: number) {
    return {
      nodeId,
      isConnected: () => true,
      disconnect: async () => {},
      lookupRequest: () => (given: object) => ({ request: given, response }),
      connectionPool: {
        send: async ({ request }: { request: object }) => {
          this.asking += 1;
          this.events.push(`produce ${nodeId}`);
          try {
            // Brokers do not answer in the order in which they are asked.
            for (let n = 0; n < 3 - nodeId; n++) await Promise.resolve();
            return this.produce(nodeId, request as Produce);
          } finally {
            this.asking -= 1;
          }
        },
      },
    };
  }

  private produce(nodeId: number, { topicData, producerId }: Produce) {
    const act = this.acts[nodeId]?.shift() ?? 'take';
    if (act === 'lose-request') throw failed('timed out');
    const answers = topicData.flatMap(({ partitions: asked }) =>
      asked.map(({ partition, messages, firstSequence }) => {
        if (act === 'move' && partition === 0 && this.leaders[0] === nodeId)
          this.leaders[0] = (nodeId + 1) % 3;
        if (this.leaders[partition] !== nodeId)
          return { partition, errorCode: codes.NOT_LEADER, baseOffset: '-1' };
        if (act === 'too-few-replicas')
          return { partition, errorCode: codes.NOT_ENOUGH_REPLICAS, baseOffset: '-1' };
        const values = messages.map(({ value }) => String(value));
        if (values.some((value) => value.length > largest))
          return { partition, errorCode: codes.TOO_LARGE, baseOffset: '-1' };
        return { partition, ...this.append(partition, producerId, firstSequence, values) };
      }),
    );
    if (act === 'lose-answer') throw failed('timed out');
    return { topics: [{ topicName: 't', partitions: answers }] };
  }

  private append(partition: number, producer: string, first: number, values: readonly string[]) {
    const log = this.logs[partition] ?? [];
    const place = `${producer}/${partition}`;
    const expected = this.next.get(place) ?? 0;
    // It remembers what it has of the last requests of a producer, and says so.
    if (first + values.length === expected)
      return { errorCode: 0, baseOffset: String(log.length - values.length) };
    if (first !== expected) return { errorCode: codes.OUT_OF_ORDER, baseOffset: '-1' };
    this.next.set(place, expected + values.length);
    log.push(...values);
    return { errorCode: 0, baseOffset: String(log.length - values.length) };
  }
}

interface Produce {
  readonly producerId: string;
  readonly topicData: readonly {
    readonly partitions: readonly {
      readonly partition: number;
      readonly messages: readonly { readonly value: Buffer }[];
      readonly firstSequence: number;
    }[];
  }[];
}

const response = { decode: async () => ({}), parse: async () => ({}) };

const failed = (type: string) =>
  Object.assign(new Error(type), type === 'timed out' ? { name: 'KafkaJSRequestTimeoutError' } : { type });

const request = (...values: readonly string[]): SendRequest => ({
  acks: -1,
  topicMessages: [{ topic: 't', messages: values.map((value) => ({ value: Buffer.from(value) })) }],
});

/** Values that name the partition that they go to: `2:a`. */
const toAll = (name: string) => Array.from({ length: partitions }, (_, partition) => `${partition}:${name}`);

const act = fc.constantFrom<Act>('take', 'take', 'lose-answer', 'lose-request', 'move', 'too-few-replicas');
const acts = fc.array(fc.array(act, { maxLength: 8 }), { minLength: 3, maxLength: 3 });

describe('outside transactions', () => {
  it('an acknowledged record is in its partition once, in order, whatever brokers do', () =>
    fc.assert(
      fc.asyncProperty(acts, async (given) => {
        const brokers = new Brokers(given);
        const send = createSend(brokers.parts(false));
        for (const name of ['a', 'b', 'c']) {
          const answers = await send(request(...toAll(name)));
          assert.deepEqual(
            answers.map(({ partition, baseOffset }) => brokers.logs[partition]?.[Number(baseOffset)]).sort(),
            toAll(name),
          );
        }
        assert.deepEqual(
          brokers.logs,
          Array.from({ length: partitions }, (_, p) => [`${p}:a`, `${p}:b`, `${p}:c`]),
        );
      }),
    ));

  it('records that are asked for again go under the numbers that they had', async () => {
    const brokers = new Brokers([['lose-answer', 'lose-answer'], [], []]);
    const send = createSend(brokers.parts(false, 1));
    const asked = request(...toAll('a'));
    await assert.rejects(send(asked), /timed out/);
    await assert.rejects(send(asked), /timed out/);
    await send(asked);
    assert.deepEqual(
      brokers.logs,
      toAll('a').map((value) => [value]),
    );
  });

  it('the same records are sent once more when that is asked for after they were acknowledged', async () => {
    const brokers = new Brokers([[], [], []]);
    const send = createSend(brokers.parts(false));
    const asked = request('0:a');
    await send(asked);
    await send(asked);
    assert.deepEqual(brokers.logs[0], ['0:a', '0:a']);
  });

  it('after a refusal the producer gets a new id, as nobody knows which numbers were used', async () => {
    const brokers = new Brokers([[], [], []]);
    const send = createSend(brokers.parts(false));
    await assert.rejects(send(request(`0:${'x'.repeat(largest)}`, '1:a')), { type: 'MESSAGE_TOO_LARGE' });
    await send(request('0:b', '1:b'));
    assert.deepEqual(brokers.logs.slice(0, 2), [['0:b'], ['1:a', '1:b']]);
  });
});

describe('in a transaction', () => {
  it('all partitions are added in one request, before anything is produced', async () => {
    const brokers = new Brokers([[], [], []]);
    brokers.busy = 2;
    await createSend(brokers.parts(true))(request(...toAll('a')));
    assert.deepEqual(brokers.events.slice(0, 3), ['add 0,1,2,3', 'add 0,1,2,3', 'add 0,1,2,3']);
    assert.deepEqual(brokers.events.slice(3).toSorted(), ['produce 0', 'produce 1', 'produce 2']);
  });

  it('nothing is produced twice, and any error ends the send when all brokers have answered', () =>
    fc.assert(
      fc.asyncProperty(acts, async (given) => {
        const brokers = new Brokers(given);
        const harmless = (act: Act | undefined, node: number) =>
          act === undefined || act === 'take' || (act === 'move' && node !== 0);
        const clean = given.every(([first], node) => harmless(first, node));
        const sent = await createSend(brokers.parts(true))(request(...toAll('a'))).then(
          () => true,
          () => false,
        );
        assert.equal(sent, clean);
        assert.equal(brokers.asking, 0);
        for (const nodeId of [0, 1, 2])
          assert.equal(brokers.events.filter((event) => event === `produce ${nodeId}`).length, 1);
      }),
    ));

  it('a refusal of a record is what the caller hears of, whatever else went wrong', async () => {
    const brokers = new Brokers([['lose-answer'], [], []]);
    const sent = createSend(brokers.parts(true))(request('0:a', `1:${'x'.repeat(largest)}`));
    await assert.rejects(sent, { type: 'MESSAGE_TOO_LARGE' });
  });
});
