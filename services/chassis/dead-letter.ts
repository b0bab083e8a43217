import { isUtf8 } from 'node:buffer';
import type { KafkaMessage } from 'kafkajs';
import { codeVersion } from './code-version.ts';
import type { Failure } from './failures.ts';
import type { OutgoingRecord } from './outbox.ts';

/**
 * A dead letter is the record itself, its bytes unchanged, with what happened (and its key) in its headers. Their names follow
 * Kafka Connect's dead letter queue, so that tools which know those can read ours.
 */
export function deadLetter(to: {
  readonly topic: string;
  readonly service: string;
  readonly origin: { readonly topic: string; readonly partition: number; readonly message: KafkaMessage };
  readonly failure: Failure;
  readonly now: number;
}): OutgoingRecord {
  const { message, topic, partition } = to.origin;
  return {
    topic: to.topic,
    partition: undefined,
    message: {
      key: isText(message.key) ? message.key : `${topic}/${partition}/${message.offset}`,
      value: message.value,
      headers: {
        ...message.headers,
        '__connect.errors.topic': topic,
        '__connect.errors.partition': String(partition),
        '__connect.errors.offset': message.offset,
        '__connect.errors.stage': to.service,
        '__connect.errors.exception.class.name': to.failure.code,
        '__connect.errors.exception.message': to.failure.message.slice(0, 2000),
        'ravenhelm.code': to.failure.code,
        'ravenhelm.attempts': '1',
        'ravenhelm.redrives': '0',
        // A key of four zero bytes would end kafkajs's filter of aborted transactions early, so keys are text.
        ...(message.key === null ? {} : { 'ravenhelm.key': message.key.toString('base64') }),
        'ravenhelm.schema_id': schemaId(message.value),
        'ravenhelm.code_version': codeVersion,
        'ravenhelm.failed_at': new Date(to.now).toISOString(),
        'ravenhelm.produced_at': new Date(Number(message.timestamp)).toISOString(),
      },
    },
  };
}

function isText(key: Buffer | null): key is Buffer {
  return key !== null && isUtf8(key) && !key.includes(0);
}

function schemaId(value: Buffer | null): string {
  return value !== null && value.length >= 5 && value[0] === 0 ? String(value.readInt32BE(1)) : '';
}
