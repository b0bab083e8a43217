import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from './failures.ts';
import { KafkaJSNumberOfRetriesExceeded, KafkaJSProtocolError } from './kafkajs.ts';
import { refusalOf } from './refusals.ts';

const answered = (type: string) =>
  new KafkaJSProtocolError({ type, code: 1, retriable: false, message: 'no' } as never);
const exceeded = (cause: Error) =>
  new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 11, retryTime: 1000 } as never);

test('errors that blame a record or a topic are refusals, however deep they lie', () => {
  for (const type of [
    'MESSAGE_TOO_LARGE',
    'RECORD_LIST_TOO_LARGE',
    'INVALID_RECORD',
    'TOPIC_AUTHORIZATION_FAILED',
  ]) {
    const wrapped = new Failure('commit_unknown', 'no', { cause: exceeded(answered(type)) });
    assert.deepEqual(refusalOf(wrapped), { code: 'output_refused', type, certain: true });
  }
  const missing = new AggregateError([
    answered('NOT_LEADER_FOR_PARTITION'),
    answered('UNKNOWN_TOPIC_OR_PARTITION'),
  ]);
  assert.deepEqual(refusalOf(missing), {
    code: 'topic_missing',
    type: 'UNKNOWN_TOPIC_OR_PARTITION',
    certain: false,
  });
});

test('what is certain counts before what may be the consequence of it', () => {
  const both = new AggregateError([
    answered('OPERATION_NOT_ATTEMPTED'),
    answered('TOPIC_AUTHORIZATION_FAILED'),
  ]);
  assert.equal(refusalOf(both)?.type, 'TOPIC_AUTHORIZATION_FAILED');
});

test('errors that pass are none', () => {
  const passing = [
    'NOT_ENOUGH_REPLICAS',
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'NOT_LEADER_FOR_PARTITION',
    'LEADER_NOT_AVAILABLE',
    'COORDINATOR_NOT_AVAILABLE',
    'NOT_COORDINATOR_FOR_GROUP',
    'CONCURRENT_TRANSACTIONS',
    'INVALID_PRODUCER_EPOCH',
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    'REQUEST_TIMED_OUT',
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  ];
  for (const type of passing) assert.equal(refusalOf(exceeded(answered(type))), null, type);
  for (const error of [
    new Error('MESSAGE_TOO_LARGE'),
    'MESSAGE_TOO_LARGE',
    null,
    new Failure('commit_unknown', 'no'),
  ])
    assert.equal(refusalOf(error), null);
});
