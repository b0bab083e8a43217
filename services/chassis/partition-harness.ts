import { setImmediate as turn } from 'node:timers/promises';
import type { Batch, KafkaMessage } from 'kafkajs';
import { type Codec, createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { type TopicNames, topicNames } from '#topics/table.ts';
import type { Failure } from './failures.ts';
import { KafkaJSProtocolError } from './kafkajs.ts';
import { openLog } from './log.ts';
import type { OutgoingRecord } from './outbox.ts';
import { Partition } from './partition.ts';
import type { FetchControl, PartitionSettings } from './partition-settings.ts';
import type { PartitionLogic, Processor } from './processor.ts';
import { defaultRetryPolicy } from './retry-policy.ts';

/**
 * For tests: one partition without a broker. Its inputs, its changelog and what it commits are arrays; a client that
 * reads ahead stands between, and the test may drive that itself.
 */
export class PartitionHarness {
  readonly topics: TopicNames = topicNames('harness');
  readonly input = this.topics.reports;
  /** What each input topic holds, from offset 0. */
  readonly logs = new Map<string, KafkaMessage[]>([[this.input, []]]);
  readonly changelog: OutgoingRecord[] = [];
  /** Records of each committed transaction but for those of the changelog, and markers. */
  readonly committed: OutgoingRecord[][] = [];
  readonly crashes: Failure[] = [];
  acquisitions = 0;
  commits = 0;
  /** Milliseconds of both clocks, which pass by themselves as well. */
  ahead = 0;
  /** Throws what the broker answers instead of committing these. */
  refuse: (records: readonly OutgoingRecord[]) => void = () => {};
  /** Whether fetches are served; off: the test offers batches itself. */
  serving = true;
  readonly partition: Partition;
  private readonly wanted = new Map<string, number>();
  private readonly resumed = new Set<string>();

  constructor(logic: (harness: PartitionHarness) => PartitionLogic, more: Partial<HarnessSettings> = {}) {
    const { barrier = false, codec = createCodec(numberedIds()) } = more;
    const processor: Processor = {
      service: 'harness',
      inputs: [this.input],
      raw: new Set(more.raw === false ? [] : [this.input]),
      stateTopic: this.topics.state('harness'),
      barrierTopic: barrier ? this.input : null,
      transactionalIds: () => ['t'],
      open: () => {
        this.acquisitions += 1;
        return logic(this);
      },
    };
    const settings: PartitionSettings = {
      index: 0,
      processor,
      control: this.control(),
      openTransactor: () => ({
        fence: () => Promise.resolve(),
        commit: (records) => this.commit(records),
        close: () => Promise.resolve(),
      }),
      publisher: {
        send: (topic, records) => {
          for (const { key, value } of records) this.write(topic, String(key), value);
          return Promise.resolve([]);
        },
        close: () => Promise.resolve(),
      },
      codec,
      topics: this.topics,
      retries: defaultRetryPolicy,
      now: () => Date.now() + this.ahead,
      clock: () => performance.now() + this.ahead,
      log: openLog('harness', 'silent'),
      refused: () => {},
      crash: (failure) => void this.crashes.push(failure),
      patience: { topicMs: 300, timersMs: 10, rewindAsks: 2, rewindMs: 1 },
    };
    this.partition = new Partition(settings);
  }

  private control(): FetchControl {
    const pause = (topic: string) => void this.resumed.delete(topic);
    return {
      pause,
      resume: (topic) => {
        this.resumed.add(topic);
        if (this.serving || topic !== this.input) void this.serve(topic);
      },
      seek: (topic, _partition, offset) => void this.wanted.set(topic, offset),
      ends: (topic) => Promise.resolve({ low: 0, high: this.logs.get(topic)?.length ?? 0 }),
    };
  }

  /** Appends to an input. */
  write(topic: string, key: string, value: Buffer | null): void {
    const log = this.logs.get(topic) ?? [];
    this.logs.set(topic, log);
    const offset = String(log.length);
    log.push({ key: Buffer.from(key), value, headers: {}, timestamp: '0', attributes: 0, offset });
    if (this.serving) void this.serve(topic);
  }

  give(...keys: string[]): void {
    for (const key of keys) this.write(this.input, key, Buffer.from(key));
  }

  private async serve(topic: string): Promise<void> {
    await turn();
    if (!this.resumed.has(topic)) return;
    const isState = topic !== this.input;
    const log = isState ? this.changelog.map(messageOf) : (this.logs.get(topic) ?? []);
    const from = this.wanted.get(topic) ?? 0;
    if (from >= log.length) return;
    this.wanted.set(topic, log.length);
    this.partition.offer(batchOf(topic, from, log.slice(from)));
  }

  /** Hands a batch over, as the client does that fetched it from `from`. */
  offer(from: number, to: number): void {
    this.partition.offer(batchOf(this.input, from, (this.logs.get(this.input) ?? []).slice(from, to)));
  }

  private async commit(records: readonly OutgoingRecord[]): Promise<void> {
    await turn();
    this.commits += 1;
    this.refuse(records);
    const state = this.topics.state('harness');
    this.changelog.push(...records.filter(({ topic }) => topic === state));
    const rest = records.filter(({ topic }) => topic !== state);
    if (rest.length > 0) this.committed.push(rest);
  }

  /** The keys of what was committed to a topic. */
  sent(topic: string): string[] {
    return this.committed
      .flat()
      .flatMap((record) => (record.topic === topic ? [String(record.message.key)] : []));
  }

  async until(look: () => boolean, what: string): Promise<void> {
    for (const deadline = performance.now() + 10_000; !look(); ) {
      if (performance.now() > deadline) throw new Error(`no ${what} in 10 s`);
      await new Promise((done) => setTimeout(done, 2));
    }
  }
}

interface HarnessSettings {
  /** Alarms wait for a barrier. */
  readonly barrier: boolean;
  readonly codec: Codec;
  /** Whether inputs are taken as they came; true unless told. */
  readonly raw: boolean;
}

const messageOf = ({ message }: OutgoingRecord, offset: number): KafkaMessage => ({
  key: message.key === null ? null : Buffer.from(message.key),
  value: message.value,
  headers: {},
  timestamp: '0',
  attributes: 0,
  offset: String(offset),
});

function batchOf(topic: string, from: number, messages: KafkaMessage[]): Batch {
  const last = messages.at(-1)?.offset ?? String(from);
  return {
    ...{ topic, partition: 0, highWatermark: last, messages, fetchedOffset: String(from) },
    isEmpty: () => messages.length === 0,
    firstOffset: () => messages[0]?.offset ?? null,
    lastOffset: () => last,
    offsetLag: () => '0',
    offsetLagLow: () => '0',
  } as Batch;
}

/** Sends each input on to `out`, keeps none of it, and has no timers. */
export function passing(out: string): PartitionLogic {
  return {
    restore() {},
    restored() {},
    ready: () => true,
    handle: () => 'lazy',
    handleRaw({ message }, _now, outbox) {
      outbox.send(out, { key: message.key, value: message.value });
      return 'lazy';
    },
    nextAlarm: () => null,
    alarm() {},
    changes: () => [],
    close() {},
  };
}

/** What a broker answers. */
export const answered = (type: string): Error =>
  new KafkaJSProtocolError({ type, code: 10, retriable: false, message: type } as never);
