import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaMessage } from 'kafkajs';
import { Inbox } from './inbox.ts';

function item(offset: number, size = 1) {
  const message: KafkaMessage = {
    key: null,
    headers: {},
    value: Buffer.alloc(size),
    timestamp: '0',
    attributes: 0,
    offset: String(offset),
  };
  return { topic: 't', offset, message };
}

test('first in, first out, over many records', () => {
  const inbox = new Inbox();
  const seen: number[] = [];
  for (let i = 0; i < 5000; i++) {
    inbox.push(item(i));
    if (i % 3 !== 0) continue;
    seen.push(inbox.peek()?.offset ?? -1);
    inbox.shift();
  }
  while (inbox.length > 0) {
    seen.push(inbox.peek()?.offset ?? -1);
    inbox.shift();
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 5000 }, (_, i) => i),
  );
  assert.equal(inbox.peek(), undefined);
});

test('it is overfull by number or by size, and roomy again at half', () => {
  const inbox = new Inbox();
  for (let i = 0; i < 40; i++) inbox.push(item(i, 1024 * 1024));
  assert.ok(inbox.overfull);
  while (inbox.overfull) inbox.shift();
  assert.ok(!inbox.roomy);
  for (let i = 0; i < 16; i++) inbox.shift();
  assert.ok(inbox.roomy);
});
