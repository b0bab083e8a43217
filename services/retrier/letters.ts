import { hash } from 'node:crypto';
import { asFailure, Failure, type FailureCode } from '#chassis/failures.ts';
import { count, header, originalKey } from '#chassis/letter-headers.ts';
import type { Logger } from '#chassis/log.ts';
import type { Outbox, Outgoing } from '#chassis/outbox.ts';
import type { InputRecord, PartitionLogic, RawRecord, Urgency } from '#chassis/processor.ts';
import { placeOfRecord } from '#chassis/retry-policy.ts';
import type { Codec } from '#schemas/codec.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { MiB } from '#topics/row.ts';
import { letterRetentionMs, type TopicNames, takesRecordsBack } from '#topics/table.ts';
import { actionOf, decide, type Request } from './decide.ts';
import { Letter, letterId, readLetterId } from './letter.ts';
import type { LetterBytes } from './letter-bytes.ts';
import { type LetterFact, letterEvent } from './letter-events.ts';
import { metrics } from './metrics.ts';
import { refusedAssignment } from './refused-assignment.ts';
import { afterWaiting, redriven, upcast } from './send-back.ts';

export interface LettersSettings {
  readonly partition: number;
  readonly topics: TopicNames;
  readonly codec: Codec;
  readonly bytes: Pick<LetterBytes, 'get' | 'want' | 'sent' | 'forget'>;
  /** Partitions of a topic that records are sent back to; null: there is no such topic. */
  readonly sizeOf: (topic: string) => number | null;
  readonly mostRedrives: number;
  readonly log: Logger;
}

const letterPrefix = 'letter/';
const editPrefix = 'edit/';
/** What one transaction sends at the most. */
const mostAtOnce = 200;
const mostBytesAtOnce = 4_000_000;
/** What a batch of a single record adds to it, generously. */
const batchOverhead = 4096;
/** A sending that was late catches up so much; milliseconds. */
const catchUpMs = 200;

/** One partition of the retrier: what waits there goes back when it is due, and of each dead letter it keeps account. */
export class Letters implements PartitionLogic {
  private readonly settings: LettersSettings;
  /** By offset, in their order. */
  private readonly letters = new Map<number, Letter>();
  private readonly edits = new Map<number, Buffer>();
  private readonly changedLetters = new Set<number>();
  private readonly changedEdits = new Set<number>();
  /** Offsets of the letters that will be sent, in their order. */
  private queue: number[] = [];
  private lastNumber = 0;
  private sendAt = 0;

  constructor(settings: LettersSettings) {
    this.settings = settings;
  }

  restore(key: string, value: Buffer | null): void {
    if (key.startsWith(editPrefix)) {
      const offset = Number(key.slice(editPrefix.length));
      if (value === null) this.edits.delete(offset);
      else this.edits.set(offset, value);
    } else if (key.startsWith(letterPrefix)) {
      const offset = Number(key.slice(letterPrefix.length));
      if (value === null) this.letters.delete(offset);
      else this.restoreLetter(offset, value);
    }
  }

  /** Of a letter whose account cannot be read nobody knows any more; its bytes stay on the topic of dead letters. */
  private restoreLetter(offset: number, value: Buffer): void {
    try {
      this.letters.set(offset, Letter.parse(JSON.parse(value.toString())));
    } catch (error) {
      const id = letterId(this.settings.partition, offset);
      this.settings.log.error({ letter: id, code: 'changelog_broken', error: String(error) }, 'left out');
    }
  }

  restored(): void {
    const inOrder = [...this.letters].toSorted(([a], [b]) => a - b);
    this.letters.clear();
    for (const [offset, letter] of inOrder) this.letters.set(offset, letter);
    const queued = inOrder
      .map(([, letter]) => letter)
      .filter(({ state }) => state === 'queued')
      .toSorted((a, b) => (a.order?.number ?? 0) - (b.order?.number ?? 0));
    this.queue = queued.map(({ offset }) => offset);
    this.lastNumber = inOrder.reduce((last, [, { order }]) => Math.max(last, order?.number ?? 0), 0);
  }

  ready(): boolean {
    return true;
  }

  notBefore(topic: string, message: RawRecord['message']): number | null {
    return this.isRetry(topic) ? count(message.headers, 'dueAt') : null;
  }

  /** Topics that records are sent back to take a mebibyte, but for requests, which carry edits. */
  private mostBytes(topic: string): number {
    return (topic === this.settings.topics.dlqRequests ? 2 : 1) * MiB - batchOverhead;
  }

  private isRetry(topic: string): boolean {
    return topic.startsWith(this.settings.topics.retry(''));
  }

  handleRaw(record: RawRecord, now: number, out: Outbox): Urgency {
    if (this.isRetry(record.topic)) this.sendBack(record, out);
    else this.record(record, now, out);
    return 'urgent';
  }

  /** What has waited. Its topic may have gone meanwhile: then it is a dead letter of where it was. */
  private sendBack({ message, topic }: RawRecord, out: Outbox): void {
    const { topics, sizeOf } = this.settings;
    const origin = header(message.headers, 'topic') ?? '';
    if (!takesRecordsBack(topics, origin)) {
      const found = `found a record of ${JSON.stringify(origin.slice(0, 200))} on ${topic}`;
      throw new Failure('invalid_payload', `${found}, expected one of a topic that records are sent back to`);
    }
    const size = sizeOf(origin);
    if (size === null) {
      const { headers, key, value } = message;
      const gone = { ...headers, 'ravenhelm.code': 'topic_missing' };
      out.send(topics.dlq, { key, value, headers: gone });
      return;
    }
    const back = afterWaiting(message, size);
    const bytes = bytesOf(back.record);
    const most = this.mostBytes(back.topic);
    if (bytes > most) throw tooLarge(back.topic, bytes, most);
    out.send(back.topic, back.record);
    metrics.sentBack.inc();
  }

  /** A new dead letter. Never throws: it would become one of itself. */
  private record({ message, offset }: RawRecord, now: number, out: Outbox): void {
    const { partition, topics } = this.settings;
    if (this.letters.has(offset)) return;
    const { headers, value } = message;
    const topic = header(headers, 'topic') ?? '';
    const place = placeOfRecord(topics, topic, originalKey(headers)?.toString() ?? null);
    const code = header(headers, 'code') ?? header(headers, 'exception') ?? 'unknown';
    const letter: Letter = {
      ...{ partition, offset, state: 'waiting', topic, code, order: null, recorded_at: now, told: false },
      mission: place.mission.slice(0, 200),
      redrives: count(headers, 'redrives') ?? 0,
      hash: hash('sha256', value ?? Buffer.alloc(0), 'hex'),
    };
    const told = place.kind === 'tasks' && this.tellTask(message, letter, place.role, now, out);
    this.keep({ ...letter, told });
    const whole = (name: 'partition' | 'offset' | 'attempts') => count(headers, name) ?? 0;
    this.say(out, letter, header(headers, 'eventId') ?? '', now, {
      event_type: 'dead_letter_recorded',
      payload: {
        dead_letter_id: letterId(partition, offset),
        ...{ topic, code, partition: Math.min(whole('partition'), 2 ** 31 - 1), offset: whole('offset') },
        message: header(headers, 'message') ?? '',
        attempts: Math.min(whole('attempts'), 2 ** 31 - 1),
        service: header(headers, 'stage') ?? '',
        redrive_count: Math.min(letter.redrives, 2 ** 31 - 1),
        origin_event_id: header(headers, 'eventId') ?? '',
        origin_event_type: header(headers, 'eventType') ?? '',
        mission_id: letter.mission,
        role: place.role,
        size: value?.length ?? 0,
        hash: letter.hash,
      },
    });
    metrics.recorded.inc({ code });
    this.forgetOld(now);
  }

  /** A dead assignment is a failed attempt at its task. True: it was one, and its mission is told. */
  private tellTask(
    { headers, value }: RawRecord['message'],
    letter: Letter,
    role: string,
    now: number,
    out: Outbox,
  ): boolean {
    const { topics, codec } = this.settings;
    const id = letterId(letter.partition, letter.offset);
    const about = { id, role, code: letter.code, message: header(headers, 'message') ?? '', now };
    const report = refusedAssignment(value, codec, about);
    if (report === null) return false;
    out.send(topics.reports, { key: report.correlation_id, value: codec.encode(report) });
    return true;
  }

  /** Retention has taken the letters themselves. */
  private forgetOld(now: number): void {
    for (const [offset, { recorded_at }] of this.letters) {
      if (now - recorded_at < letterRetentionMs) return;
      this.letters.delete(offset);
      this.changedLetters.add(offset);
      this.dropEdit(offset);
    }
  }

  handle({ decoded, topic }: InputRecord, now: number, out: Outbox): Urgency {
    if (decoded.name !== 'DeadLetterRequested') {
      throw new Failure('unexpected_type', `found ${decoded.name} on ${topic}, expected DeadLetterRequested`);
    }
    this.request(decoded.value, now, out);
    return 'urgent';
  }

  private request(event: EventOf<'dead_letter_requested'>, now: number, out: Outbox): void {
    const { payload } = event;
    const edited = payload.edited === '' ? null : Buffer.from(payload.edited, 'base64');
    const request: Request = {
      ...{ id: event.event_id, action: actionOf(payload), by: payload.requested_by },
      ...{ reason: payload.reason, rate: payload.rate, force: payload.force },
      original_hash: payload.original_hash,
      edited_hash: edited === null ? '' : hash('sha256', edited, 'hex'),
    };
    for (const id of new Set(payload.letters)) this.decide(id, request, edited, payload.difference, now, out);
  }

  private decide(
    id: string,
    request: Request,
    edited: Buffer | null,
    difference: string,
    now: number,
    out: Outbox,
  ): void {
    const { partition, topics, mostRedrives, codec } = this.settings;
    const place = readLetterId(id);
    const letter = place?.partition === partition ? this.letters.get(place.offset) : undefined;
    const about = { dead_letter_id: id };
    const refuse = (code: string, message: string) =>
      this.say(out, letter, request.id, now, {
        event_type: 'dead_letter_refused',
        payload: { ...about, action: request.action, requested_by: request.by, code, message },
      });
    const unreadable = request.action === 'edit' ? whyUnreadable(edited, codec) : null;
    if (unreadable !== null) return refuse(unreadable.code, unreadable.message);
    const decision = decide(letter, id, request, {
      mostRedrives,
      number: this.lastNumber + 1,
      returns: (topic) => takesRecordsBack(topics, topic),
    });
    if (decision.kind === 'known') return;
    if (decision.kind === 'refused') return refuse(decision.code, decision.message);
    const { by, reason } = request;
    this.keep(decision.letter);
    const { offset, redrives: redrive_count } = decision.letter;
    switch (decision.kind) {
      case 'queued':
        this.lastNumber += 1;
        this.queue.push(offset);
        return;
      case 'archived':
        this.dropEdit(offset);
        return this.say(out, letter, request.id, now, {
          event_type: 'dead_letter_archived',
          payload: { ...about, archived_by: by, reason },
        });
      case 'parked':
        return this.say(out, letter, request.id, now, {
          event_type: 'dead_letter_parked',
          payload: {
            ...about,
            parked_by: request.action === 'park' ? by : 'retrier',
            reason: request.action === 'park' ? reason : `it was sent again ${redrive_count} times before`,
            redrive_count,
          },
        });
      case 'edited':
        if (edited !== null) this.edits.set(offset, edited);
        this.changedEdits.add(offset);
        return this.say(out, letter, request.id, now, {
          event_type: 'dead_letter_edited',
          payload: {
            ...{ ...about, edited_by: by, reason, difference },
            ...{ original_hash: request.original_hash, edited_hash: request.edited_hash },
          },
        });
    }
  }

  /** Asks, on the way, for the bytes of what is next: without them it cannot be sent. */
  nextAlarm(): number | null {
    const { bytes, partition } = this.settings;
    const [next] = this.queue;
    if (next === undefined) return null;
    if (bytes.get(partition, next) !== undefined) return this.sendAt;
    bytes.want(partition, this.queue.slice(0, mostAtOnce));
    return null;
  }

  /** Sends of the queue what is there, as fast as was asked for. Together with the account of it: so never twice. */
  alarm(now: number, out: Outbox): void {
    const { bytes, partition } = this.settings;
    let sentBytes = 0;
    for (let sent = 0; sent < mostAtOnce && sentBytes < mostBytesAtOnce && this.sendAt <= now; sent++) {
      const [offset] = this.queue;
      const letter = offset === undefined ? undefined : this.letters.get(offset);
      const found = offset === undefined ? undefined : bytes.get(partition, offset);
      if (offset === undefined || found === undefined) return;
      this.queue.shift();
      out.afterCommit(() => bytes.sent(partition, offset));
      const order = letter?.order ?? null;
      if (letter === undefined || order === null) continue;
      if (found === 'gone') this.cannotSend(letter, 'not_found', 'its bytes are no longer there', now, out);
      else sentBytes += this.send(letter, found, now, out);
      const { rate } = order;
      if (rate > 0) this.sendAt = Math.max(this.sendAt, now - catchUpMs) + 1000 / rate;
    }
  }

  private send(letter: Letter, message: RawRecord['message'], now: number, out: Outbox): number {
    const { codec, sizeOf } = this.settings;
    const { offset, partition, topic, redrives, order } = letter;
    const size = sizeOf(topic);
    if (size === null) {
      this.cannotSend(letter, 'topic_missing', `there is no topic ${topic}`, now, out);
      return 0;
    }
    const { value, upcast: isUpcast } = upcast(this.edits.get(offset) ?? message.value, codec);
    const { record } = redriven(message, value, size);
    const bytes = bytesOf(record);
    const most = this.mostBytes(topic);
    if (bytes > most) {
      const { code, message: why } = tooLarge(topic, bytes, most);
      this.cannotSend(letter, code, why, now, out);
      return 0;
    }
    out.send(topic, record);
    this.keep({ ...letter, state: 'redriven' });
    this.dropEdit(offset);
    this.say(out, letter, order?.request ?? '', now, {
      event_type: 'dead_letter_redriven',
      payload: {
        dead_letter_id: letterId(partition, offset),
        ...{ redriven_by: order?.by ?? '', reason: order?.reason ?? '', topic, redrive_count: redrives + 1 },
        ...{ partition: record.partition ?? -1, upcast: isUpcast },
        sent_hash: hash('sha256', value ?? Buffer.alloc(0), 'hex'),
      },
    });
    metrics.redriven.inc();
    return value?.length ?? 0;
  }

  private cannotSend(letter: Letter, code: FailureCode, why: string, now: number, out: Outbox): void {
    const id = letterId(letter.partition, letter.offset);
    this.keep({ ...letter, state: 'waiting', order: null });
    this.say(out, letter, letter.order?.request ?? '', now, {
      event_type: 'dead_letter_refused',
      payload: {
        ...{ dead_letter_id: id, action: 'redrive', requested_by: letter.order?.by ?? '' },
        ...{ code, message: `letter ${id}: ${why}` },
      },
    });
  }

  private say(out: Outbox, letter: Letter | undefined, cause: string, now: number, fact: LetterFact): void {
    const { topics, codec, partition } = this.settings;
    const event = letterEvent(fact, { cause, mission: letter?.mission ?? '', now });
    out.send(topics.dlqEvents, {
      key: event.payload.dead_letter_id,
      value: codec.encode(event),
      partition,
    });
  }

  private keep(letter: Letter): void {
    this.letters.set(letter.offset, letter);
    this.changedLetters.add(letter.offset);
  }

  private dropEdit(offset: number): void {
    if (this.edits.delete(offset)) this.changedEdits.add(offset);
  }

  *changes(): Iterable<readonly [string, Buffer | null]> {
    for (const offset of this.changedLetters) {
      const letter = this.letters.get(offset);
      yield [`${letterPrefix}${offset}`, letter === undefined ? null : Buffer.from(JSON.stringify(letter))];
    }
    for (const offset of this.changedEdits) yield [`${editPrefix}${offset}`, this.edits.get(offset) ?? null];
    this.changedLetters.clear();
    this.changedEdits.clear();
  }

  close(): void {
    this.settings.bytes.forget(this.settings.partition);
  }
}

/** A record that its topic does not take would fail every transaction of the partition, again and again. */
const tooLarge = (topic: string, bytes: number, most: number): Failure =>
  new Failure('record_too_large', `found ${bytes} bytes for ${topic}, expected at most ${most}`);

function bytesOf({ key, value, headers = {} }: Outgoing): number {
  const headerBytes = Object.entries(headers).reduce(
    (sum, [name, text]) => sum + name.length + Buffer.byteLength(String(text ?? '')) + 8,
    0,
  );
  return Buffer.byteLength(key ?? '') + (value?.length ?? 0) + headerBytes;
}

/** An edit has to be a record that can be read: nobody edits a letter to make it worse. */
function whyUnreadable(edited: Buffer | null, codec: Codec): Failure | null {
  if (edited === null) return new Failure('invalid_payload', 'payload.edited: found nothing, expected bytes');
  try {
    codec.decode(edited);
    return null;
  } catch (error) {
    return asFailure(error, 'undecodable');
  }
}
