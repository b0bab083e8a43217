import assert from 'node:assert/strict';
import { test } from 'node:test';
import { looksSecret, secretsOf } from './secret-names.ts';

const random = 'q8Zt2LmX0pRv7KcW';

test('names that say what they hold', () => {
  for (const name of [
    ...[
      'ANTHROPIC_API_KEY',
      'GITHUB_TOKEN',
      'DB_PASSWORD',
      'PGPASSWORD',
      'MYSQL_PWD',
      'AWS_SECRET_ACCESS_KEY',
    ],
    ...[
      'SESSION_SECRET',
      'apiKey',
      'client.secret',
      'SSH_PASSPHRASE',
      'GOOGLE_CREDENTIALS',
      'REGISTRY_AUTH',
      'GH_PAT',
    ],
  ]) {
    assert.ok(looksSecret(name), name);
    assert.deepEqual(secretsOf({ [name]: random }), [{ name, value: random }]);
  }
  for (const name of [
    ...[
      'PATH',
      'HOME',
      'PWD',
      'OLDPWD',
      'MAX_TOKENS',
      'TLS_KEY_FILE',
      'SSH_AUTH_SOCK',
      'PUBLIC_KEY',
      'KEYBOARD',
    ],
    ...['RAVENHELM_PREFIX', 'AUTHOR', 'KEY_PATH', 'TOKEN_TTL', 'COMPASS', 'PATTERN'],
  ]) {
    assert.ok(!looksSecret(name), name);
    assert.deepEqual(secretsOf({ [name]: random }), []);
  }
});

test('values that occur in ordinary text are no secrets', () => {
  const common = [
    '',
    '  ',
    'short',
    'changeme',
    'Password',
    'ravenhelm',
    '86400000',
    '/run/secrets/key',
    './a/b.key',
  ];
  const more = [
    '~/.ssh/id_ed25519',
    'true',
    'xxxxxxxxxxxx',
    'C:\\keys\\my.key',
    'https://host/path',
    'SESSION_KEY',
  ];
  for (const value of [...common, ...more]) assert.deepEqual(secretsOf({ SOME_KEY: value }), [], value);
  assert.deepEqual(secretsOf({ SOME_KEY: undefined }), []);
  // A key in base64 may begin like a path.
  assert.equal(secretsOf({ SOME_KEY: '/wJalrXUtnFEMIK7MDENG/bPxRfiCYzEXAMPLE' }).length, 1);
});

test('passwords in addresses, of any variable, as they are written and as they are meant', () => {
  assert.deepEqual(
    secretsOf({
      DATABASE_URL: 'postgres://me:p%40ss-word1@db:5432/x',
      BROKERS: 'a://u:second-pass@h,b://u:third-pass@i',
    }),
    [
      { name: 'DATABASE_URL', value: 'p%40ss-word1' },
      { name: 'DATABASE_URL', value: 'p@ss-word1' },
      { name: 'BROKERS', value: 'second-pass' },
      { name: 'BROKERS', value: 'third-pass' },
    ],
  );
  // Defaults of a test database: scrubbed everywhere, they would take ordinary words along.
  assert.deepEqual(
    secretsOf({
      A_URL: 'postgres://workshop:workshop@db/x',
      B_URL: 'postgres://me:inventory@db/inventory?a=1',
    }),
    [],
  );
});

test('of credentials in JSON the secret fields, of a PEM each line', () => {
  const line = 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49';
  const found = secretsOf({
    GOOGLE_CREDENTIALS: JSON.stringify({
      type: 'service_account',
      client_secret: random,
      private_key: `-----BEGIN\n${line}\n`,
    }),
  }).map(({ value }) => value);
  assert.ok(found.includes(random) && found.includes(line));
  assert.ok(!found.includes('service_account'));
});
