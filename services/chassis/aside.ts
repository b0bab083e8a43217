import type { KafkaMessage } from 'kafkajs';
import type { Codec } from '#schemas/codec.ts';
import { delayMs, type RetryDelay, type TopicNames, takesRecordsBack } from '#topics/table.ts';
import { deadLetter, isText } from './dead-letter.ts';
import type { Failure } from './failures.ts';
import { KeyQueues } from './key-queues.ts';
import { count, header, writeHeaders } from './letter-headers.ts';
import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';
import { type OutgoingRecord, outgoing } from './outbox.ts';
import { delayAfter, placeOfRecord, type RetryPolicy, retrying } from './retry-policy.ts';

/**
 * What becomes of records that cannot be handled now: they wait in a topic of retries, or are dead letters. It never
 * blocks the partition and never drops a record; what it answers goes into the same transaction as the position
 * behind the record.
 */
export class Aside {
  private readonly queues = new KeyQueues();
  private readonly to: AsideSettings;

  constructor(to: AsideSettings) {
    this.to = to;
  }

  restore(key: string, value: Buffer | null): void {
    this.queues.restore(key, value);
  }

  /** Null: its turn has come. Else an earlier record of its key waits, and this one goes behind it. */
  behind(topic: string, message: KafkaMessage, now: number): OutgoingRecord | null {
    const key = textKey(message);
    if (key === null) return null;
    const found = this.queues.behind(topic, key, placeIn(message), now);
    if (found === null) return null;
    metrics.waiting.inc({ code: 'behind' });
    const failure = {
      code: 'retry_behind',
      message: 'an earlier record of its key waits to be tried again',
    } as const;
    const { place, delay } = found;
    return this.putAside(topic, message, failure, { attempts: attemptsOf(message), delay, place, now });
  }

  handled(topic: string, message: KafkaMessage, now: number): void {
    const key = textKey(message);
    if (key !== null) this.queues.done(topic, key, placeIn(message), now);
  }

  failed(topic: string, message: KafkaMessage, failure: Failure, now: number): OutgoingRecord {
    const { names, policy, log } = this.to;
    const waited = topic.startsWith(names.retry(''));
    if (waited && takesRecordsBack(names, header(message.headers, 'topic') ?? ''))
      return this.cannotGoBack(topic, message, failure, now);
    const { code } = failure;
    const attempts = attemptsOf(message) + 1;
    const key = textKey(message);
    const place = placeIn(message);
    const rule = retrying(policy, code, placeOfRecord(names, topic, key));
    const again = takesRecordsBack(names, topic) && attempts <= rule.retries;
    const delay = again ? delayAfter(attempts, rule.first) : null;
    const fields = { code, topic, offset: message.offset, error: failure.message, attempts, delay };
    const said = again ? 'record is tried again' : 'dead letter';
    if (code === 'handler_failed') log.error({ ...fields, stack: failure.stack }, said);
    else log.warn(fields, said);
    if (delay === null) {
      metrics.deadLetters.inc({ code });
      this.handled(topic, message, now);
      return this.putAside(topic, message, failure, { attempts, delay, place: null, now });
    }
    metrics.waiting.inc({ code });
    const ordered = key !== null && (rule.order === 'key' || this.queues.isNext(topic, key, place));
    const number = ordered ? this.queues.waits(topic, key, place, delay, now) : null;
    return this.putAside(topic, message, failure, { attempts, delay, place: number, now });
  }

  /** One that has waited is a dead letter of where it was first. */
  private cannotGoBack(topic: string, message: KafkaMessage, failure: Failure, now: number): OutgoingRecord {
    const { names, log } = this.to;
    const { code, message: why } = failure;
    log.warn({ code, topic, offset: message.offset, error: why }, 'dead letter');
    metrics.deadLetters.inc({ code });
    const failedAt = new Date(now).toISOString();
    const headers = {
      ...message.headers,
      ...writeHeaders({ code, exception: code, message: why.slice(0, 2000), failedAt }),
    };
    return outgoing(names.dlq, { key: message.key, value: message.value, headers });
  }

  private putAside(
    topic: string,
    message: KafkaMessage,
    failure: Pick<Failure, 'code' | 'message'>,
    how: { attempts: number; delay: RetryDelay | null; place: number | null; now: number },
  ): OutgoingRecord {
    const { names, service, partition, codec } = this.to;
    const { attempts, delay, place, now } = how;
    return deadLetter({
      topic: delay === null ? names.dlq : names.retry(delay),
      origin: { topic, partition, message },
      ...{ service, failure, attempts, now, codec },
      ...(delay === null ? {} : { waits: { dueAt: now + delayMs(delay), place } }),
    });
  }

  /** State that changed since it was last asked for. */
  changes(): Iterable<readonly [key: string, value: Buffer | null]> {
    return this.queues.changes();
  }
}

export interface AsideSettings {
  readonly names: TopicNames;
  readonly service: string;
  readonly partition: number;
  readonly policy: RetryPolicy;
  readonly codec: Codec;
  readonly log: Logger;
}

const textKey = ({ key }: KafkaMessage): string | null =>
  isText(key) && key.length > 0 ? key.toString() : null;
const placeIn = ({ headers }: KafkaMessage): number | null => count(headers, 'place');
const attemptsOf = ({ headers }: KafkaMessage): number => count(headers, 'attempts') ?? 0;
