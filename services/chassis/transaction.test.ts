import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Transaction } from './transaction.ts';

const value = Buffer.from('v');

test('what a failed record sent is taken back, what came before stays', () => {
  const transaction = new Transaction();
  const ran: string[] = [];
  transaction.begin();
  transaction.send('t', { key: 'first', value });
  transaction.afterCommit(() => ran.push('first'));
  transaction.begin();
  transaction.send('t', { key: 'second', value });
  transaction.afterCommit(() => ran.push('second'));
  transaction.rollBack();
  transaction.announce(assert.ifError);
  assert.deepEqual(
    transaction.records.map(({ message }) => message.key),
    ['first'],
  );
  assert.deepEqual(ran, ['first']);
});

test('one step after the commit that throws does not keep the others from running', () => {
  const transaction = new Transaction();
  const ran: string[] = [];
  const failures: string[] = [];
  transaction.afterCommit(() => {
    throw new Error('broken');
  });
  transaction.afterCommit(() => ran.push('next'));
  transaction.announce((failure) => failures.push(failure.code));
  assert.deepEqual(ran, ['next']);
  assert.deepEqual(failures, ['internal_error']);
});

test('it is full by records or by bytes', () => {
  const byRecords = new Transaction();
  for (let i = 0; i < 4000; i++) byRecords.send('t', { key: 'k', value: null });
  assert.ok(byRecords.full);
  const byBytes = new Transaction();
  byBytes.send('t', { key: 'k', value: Buffer.alloc(9_000_000) });
  assert.ok(byBytes.full);
});
