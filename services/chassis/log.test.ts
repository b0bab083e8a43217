import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scrub } from './log.ts';

test('secrets inside a line are scrubbed, the line stays readable', () => {
  const line = JSON.stringify({
    url: 'postgres://raven:hunter2@127.0.0.1:5432/ravenhelm',
    key: 'sk-ant-REDACTED',
    header: 'Authorization: Bearer abcdefghijklmnop',
    pem: '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIDs\n-----END EC PRIVATE KEY-----',
  });
  const scrubbed = scrub(line);
  for (const secret of ['hunter2', 'aaaabbbb', 'abcdefghijklmnop', 'MHcCAQEEIDs']) {
    assert.ok(!scrubbed.includes(secret), secret);
  }
  assert.match(scrubbed, /postgres:\/\/raven:\[secret\]@127\.0\.0\.1/);
  assert.doesNotThrow(() => JSON.parse(scrubbed));
});
