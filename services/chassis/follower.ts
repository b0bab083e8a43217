import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin, Batch, ConsumerGroupJoinEvent, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { asFailure, Failure, type FailureCode } from './failures.ts';
import { FetchPositions, fetchedOffset } from './fetch-positions.ts';
import { groupMember } from './group-member.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';
import { topicOffsets } from './topic-offsets.ts';

const offsetsEveryMs = 1000;
/** Records that are handed over at once; more of a fetch follow when these are done. */
const mostRecords = 2000;
/** A fetch waits this long for company: fewer, larger batches for a view that is at most this much older. */
const fetchWaitMs = 100;
const fetchBytes = 64 * 1024;
const stallMs = 60_000;
const outageMs = 10 * 60_000;
const longestPauseMs = 5000;
const calmMs = 2 * 60_000;
/** What is waited for instead of crashing. */
const outages: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'database_unavailable',
  'registry_unavailable',
]);

export type FollowedMessage = Pick<KafkaMessage, 'key' | 'value' | 'headers' | 'timestamp'>;

export interface FollowedRecord {
  readonly offset: number;
  readonly message: FollowedMessage;
}

/** Records of one partition of one topic, read-committed and in order. */
export interface FollowedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly FollowedRecord[];
  /** The offset after them. */
  readonly next: number;
  /** Where the partition ended when they were fetched. */
  readonly end: number;
}

/**
 * Keeps its own positions, together with what it makes of the records, where Kafka's transactions do not reach. A
 * Failure `database_unavailable` or `registry_unavailable` is an outage, and waited out; any other error ends the
 * process.
 */
export interface FollowerHandler {
  /** The next offset of each topic, for this partition number. One that is left out is read from its beginning. */
  positions(partition: number): Promise<ReadonlyMap<string, number>>;
  /**
   * Takes a batch. Answers where to go on: `batch.next`, or another offset when somebody else has moved on
   * meanwhile, or null when nothing more of this partition is wanted.
   */
  handle(batch: FollowedBatch): Promise<number | null>;
}

export interface FollowerSettings {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly handler: FollowerHandler;
  readonly sessionTimeoutMs: number;
  readonly log: Logger;
  readonly crash: (failure: Failure) => void;
  /** For a group that nobody will join again. */
  readonly deleteGroup?: boolean;
}

/** A member of a consumer group that follows topics into some other store. */
export interface Follower {
  /** True once it follows everything it was given, and the store answers. */
  ready(): boolean;
  /** The next offset to be read, past control records too, of `topic/partition`; null before it is known. */
  position(topic: string, partition: number): number | null;
  /** Ends the batch in hand; leaves the group, at the deadline at the latest. */
  stop(deadlineMs: number): Promise<void>;
}

/** A partition of a topic, while it is ours. */
interface Slot {
  readonly topic: string;
  readonly partition: number;
  /** Null until the handler has told, and again during an outage: nothing is handed over. */
  position: number | null;
  /** Tells what goes on there from what was fetched before the client was put elsewhere. */
  readonly places: FetchPositions;
  busySince: number | null;
}

export async function startFollower(settings: FollowerSettings): Promise<Follower> {
  const { kafka, admin, groupId, topics, handler, log, crash } = settings;
  const slots = new Map<string, Slot>();
  const stopping = new AbortController();
  let joined = false;
  /** Counts joins and outages: what belongs to an older one does not count any more. */
  let turn = 0;
  let failures = 0;
  let failingSince = 0;
  let failedAt = Number.NEGATIVE_INFINITY;
  let fetchedAt = performance.now();

  const consumer = groupMember(kafka, {
    groupId,
    sessionTimeoutMs: settings.sessionTimeoutMs,
    fetchWaitMs,
    minBytes: fetchBytes,
    claims: () => ({ held: [...new Set([...slots.values()].map((slot) => slot.partition))], refused: [] }),
  });

  const place = ({ topic, partition }: Slot) => [{ topic, partitions: [partition] }];
  const seek = (topic: string, partition: number, offset: number) =>
    consumer.seek({ topic, partition, offset: String(offset) });
  const slotOf = (topic: string, partition: number) => slots.get(`${topic}/${partition}`);

  /** The truth about positions is the handler's: it is asked on every join, and after every outage. */
  function onJoin({ payload }: ConsumerGroupJoinEvent): void {
    if (stopping.signal.aborted) return;
    joined = true;
    fetchedAt = performance.now();
    slots.clear();
    for (const topic of topics) {
      for (const partition of payload.memberAssignment[topic] ?? []) {
        const places = new FetchPositions(partition, { seek });
        const slot = { topic, partition, position: null, places, busySince: null };
        slots.set(`${topic}/${partition}`, slot);
        consumer.pause(place(slot));
      }
    }
    log.info({ group: groupId, partitions: [...slots.keys()] }, 'joined group');
    turn += 1;
    void takeUp(turn);
  }

  /** Finds out where to go on, and goes on; as often as it takes, while this turn lasts. */
  async function takeUp(mine: number): Promise<void> {
    const current = () => mine === turn && !stopping.signal.aborted;
    while (current()) {
      try {
        if (failures > 0) await sleep(pauseMs(failures), undefined, { signal: stopping.signal });
        const found = current() ? await findPositions() : null;
        if (found === null || !current()) return;
        for (const [slot, position] of found) {
          slot.position = position;
          slot.places.seek(slot.topic, position);
          consumer.resume(place(slot));
        }
        if (failures > 0) log.info({ group: groupId, failures }, 'going on');
        return;
      } catch (error) {
        if (!current()) return;
        if (!waitOut(asFailure(error, 'broker_unavailable'))) return;
      }
    }
  }

  async function findPositions(): Promise<Map<Slot, number>> {
    const mine = [...slots.values()];
    const wanted = new Map<number, ReadonlyMap<string, number>>();
    for (const partition of new Set(mine.map((slot) => slot.partition))) {
      wanted.set(partition, await handler.positions(partition));
    }
    const found = new Map<Slot, number>();
    for (const topic of new Set(mine.map((slot) => slot.topic))) {
      const offsets = new Map((await topicOffsets(admin, topic)).map((each) => [each.partition, each]));
      for (const slot of mine.filter((each) => each.topic === topic)) {
        const range = offsets.get(slot.partition);
        found.set(slot, within(slot, wanted.get(slot.partition)?.get(topic) ?? null, range));
      }
    }
    return found;
  }

  function within(
    slot: Slot,
    wanted: number | null,
    range: { low: string; high: string } | undefined,
  ): number {
    const low = Number(range?.low ?? 0);
    const high = Number(range?.high ?? 0);
    if (wanted === null) return low;
    if (wanted > high) {
      const where = `${slot.topic}/${slot.partition}`;
      throw new Failure(
        'input_gap',
        `${groupId} has followed ${where} to offset ${wanted}, but it ends at ${high}: this is another topic than ` +
          'then. Run `ravenhelm rebuild`.',
      );
    }
    if (wanted < low) {
      metrics.inputGaps.inc({ topic: slot.topic }, low - wanted);
      log.error({ topic: slot.topic, partition: slot.partition, from: wanted, to: low }, 'records are gone');
    }
    return Math.max(wanted, low);
  }

  /** False when the process has to end. */
  function waitOut(failure: Failure): boolean {
    const now = performance.now();
    // Nothing failed for so long: this is another outage.
    if (now - failedAt > calmMs) {
      failures = 0;
      failingSince = now;
    }
    failures += 1;
    failedAt = now;
    const broker = failure.code === 'broker_unavailable';
    const lasting = now - failingSince > outageMs;
    if ((!broker && !outages.has(failure.code)) || lasting) {
      crash(failure);
      return false;
    }
    log.warn({ code: failure.code, error: failure.message, retry_in_ms: pauseMs(failures) }, 'waiting');
    return true;
  }

  /** Nothing is fetched during an outage, but the fetch loop goes on beating the group's heart. */
  function suspend(error: unknown): void {
    if (stopping.signal.aborted || !waitOut(asFailure(error))) return;
    for (const slot of slots.values()) {
      slot.position = null;
      consumer.pause(place(slot));
    }
    turn += 1;
    void takeUp(turn);
  }

  async function handOver(
    slot: Slot,
    { batch, isStale, isRunning, heartbeat }: EachBatchPayload,
  ): Promise<void> {
    const mine = turn;
    // The broker must hear of us while the store is slow; what the beat finds out, the fetch loop will find out too.
    const beat = setInterval(() => void heartbeat().catch(() => undefined), settings.sessionTimeoutMs / 4);
    try {
      for (const part of parts(batch)) {
        if (isStale() || !isRunning() || mine !== turn || slot.position === null) return;
        slot.busySince = performance.now();
        const next = await handler.handle(part);
        if (mine !== turn) return;
        failures = 0;
        failedAt = Number.NEGATIVE_INFINITY;
        if (next === null) {
          consumer.pause(place(slot));
          slot.position = part.next;
          return;
        }
        slot.position = next;
        if (next !== part.next) {
          log.info({ topic: part.topic, partition: part.partition, from: part.next, to: next }, 'moved');
          slot.places.seek(part.topic, next);
          return;
        }
      }
    } catch (error) {
      if (mine === turn) suspend(error);
    } finally {
      clearInterval(beat);
      slot.busySince = null;
    }
  }

  consumer.on(consumer.events.GROUP_JOIN, onJoin);
  consumer.on(consumer.events.FETCH, () => {
    fetchedAt = performance.now();
  });
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    const slot = slotOf(payload.topic, payload.partition);
    // A batch of control records alone reaches no handler; the position moves past it nevertheless.
    if (slot === undefined || slot.position === null || payload.batchSize > 0) return;
    const { firstOffset, lastOffset } = payload as { firstOffset: string | null; lastOffset: string };
    const from = firstOffset === null ? null : Number(firstOffset);
    slot.places.passed(slot.topic, from, Number(lastOffset) + 1);
    slot.position = Math.max(slot.position, slot.places.of(slot.topic));
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!stopping.signal.aborted) crash(asFailure(payload.error, 'consumer_crashed'));
  });

  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    // While the store takes one partition's batch, the next one's is made ready.
    partitionsConsumedConcurrently: 3,
    eachBatch: async (payload) => {
      const slot = slotOf(payload.batch.topic, payload.batch.partition);
      if (slot === undefined || slot.position === null || payload.isStale()) return;
      const { topic } = slot;
      switch (
        slot.places.judge(topic, fetchedOffset(payload.batch), Number(payload.batch.lastOffset()) + 1)
      ) {
        case 'stray':
          return;
        case 'rewound':
          // Where to go on is found out anew, and whether the topic is the one that was followed.
          return suspend(new Failure('broker_unavailable', `${topic} does not go on at ${slot.position}`));
        default:
          await handOver(slot, payload);
          slot.places.moved(topic, slot.position ?? 0);
      }
    },
  });

  /** For people and their tools only, as in any other consumer of ours. */
  const told = new Map<string, number>();
  let telling: Promise<void> | null = null;
  function commitOffsets(): Promise<void> {
    telling ??= commitOnce().finally(() => {
      telling = null;
    });
    return telling;
  }
  async function commitOnce(): Promise<void> {
    const changed = [...slots].flatMap(([name, { topic, partition, position }]) =>
      position !== null && told.get(name) !== position ? [{ name, topic, partition, position }] : [],
    );
    if (changed.length === 0) return;
    try {
      await consumer.commitOffsets(
        changed.map(({ topic, partition, position }) => ({ topic, partition, offset: String(position) })),
      );
      for (const { name, position } of changed) told.set(name, position);
    } catch (error) {
      log.debug({ error: String(error) }, 'group offsets not committed');
    }
  }

  const offsetsTimer = setInterval(() => void commitOffsets(), offsetsEveryMs);
  const watchdog = setInterval(() => {
    const now = performance.now();
    const stalled = [...slots.values()].find((slot) => now - (slot.busySince ?? now) > stallMs);
    if (stalled !== undefined) {
      const where = `${stalled.topic}/${stalled.partition}`;
      crash(new Failure('stalled', `a batch of ${where} in ${groupId} took more than ${stallMs} ms`));
    } else if (now - fetchedAt > stallMs) {
      crash(new Failure('stalled', `${groupId} fetched nothing for ${stallMs} ms`));
    }
  }, 5000);
  watchdog.unref();

  return {
    ready: () => joined && [...slots.values()].every((slot) => slot.position !== null),
    position: (topic, partition) => slotOf(topic, partition)?.position ?? null,
    async stop(deadlineMs) {
      stopping.abort();
      clearInterval(offsetsTimer);
      clearInterval(watchdog);
      const leave = async () => {
        if (settings.deleteGroup !== true) await commitOffsets();
        await consumer.disconnect();
        if (settings.deleteGroup === true) await admin.deleteGroups([groupId]).catch(() => undefined);
      };
      // Nothing is lost by not waiting: the positions that count are the handler's.
      await Promise.race([leave(), sleep(deadlineMs, undefined, { ref: false })]);
    },
  };
}

const pauseMs = (failures: number) => Math.min(100 * 2 ** Math.min(failures, 10), longestPauseMs);

/** Only the last part knows how far the batch really goes: control records may follow the last message. */
function* parts(batch: Batch): Generator<FollowedBatch> {
  const { topic, partition, messages } = batch;
  const end = Number(batch.highWatermark);
  for (let from = 0; from < messages.length; from += mostRecords) {
    const following = messages[from + mostRecords];
    const next = following === undefined ? Number(batch.lastOffset()) + 1 : Number(following.offset);
    const records = messages
      .slice(from, from + mostRecords)
      .map((message) => ({ offset: Number(message.offset), message }));
    yield { topic, partition, records, next, end };
  }
}
