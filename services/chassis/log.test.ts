import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { logOptions } from './log.ts';
import { scrubber } from './secrets.ts';

test('a line of the log holds no secret, known or by its shape, and is JSON still', () => {
  const known = 'k7Pq-known-0f4e"quoted';
  const stream = new PassThrough();
  const log = pino(
    logOptions('test', 'info', scrubber([{ name: 'SERVICE_KEY', value: known }]).text),
    stream,
  );
  const model = ['sk', 'ant', 'api03', 'aaaabbbbccccdddd'].join('-');
  log.info(
    {
      url: 'postgres://raven:hunter2@127.0.0.1:5432/ravenhelm',
      key: model,
      output: `first line\n${model}`,
      header: 'Authorization: Bearer abcdefghijklmnop',
      pem: '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIDs\n-----END EC PRIVATE KEY-----',
      nested: { password: 'hunter2', said: `it is ${known}` },
      err: new Error(`refused ${known}`),
    },
    `said ${known}`,
  );
  const line = String(stream.read());
  const parts = ['hunter2', 'aaaabbbb', 'abcdefghijklmnop', 'MHcCAQEEIDs', 'k7Pq-known', 'quoted'];
  for (const secret of parts) assert.ok(!line.includes(secret), secret);
  assert.match(line, /postgres:\/\/raven:\[secret\]@127\.0\.0\.1/);
  const read = JSON.parse(line) as { msg: string; nested: { said: string } };
  assert.equal(read.msg, 'said [secret:SERVICE_KEY]');
  assert.equal(read.nested.said, 'it is [secret:SERVICE_KEY]');
});
