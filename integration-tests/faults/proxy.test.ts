import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestIn, requests } from './proxy.ts';

/** The beginning of a request, as Kafka's protocol has it. */
function frame(key: number, clientId: string | null, transactionalId: string | null = null): Buffer {
  const text = (value: string | null) => {
    const length = Buffer.alloc(2);
    length.writeInt16BE(value === null ? -1 : Buffer.byteLength(value));
    return Buffer.concat([length, Buffer.from(value ?? '')]);
  };
  const head = Buffer.alloc(12);
  head.writeInt16BE(key, 4);
  head.writeInt16BE(7, 6);
  const body = Buffer.concat([head, text(clientId), text(transactionalId), Buffer.alloc(6)]);
  body.writeInt32BE(body.length - 4);
  return body;
}

test('a Produce of a transaction is told from one without', () => {
  for (const client of ['worker@vm:7', '', null]) {
    assert.equal(requestIn(frame(requests.Produce, client, 'ravenhelm.orchestrator.0.1')), requests.Produce);
    assert.equal(requestIn(frame(requests.Produce, client)), requests.PlainProduce);
    assert.equal(requestIn(frame(requests.EndTxn, client, 'ravenhelm.orchestrator.0.1')), requests.EndTxn);
  }
});
