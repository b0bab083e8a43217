import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { scrubber } from './secrets.ts';

const { text: scrub } = scrubber();

// Put together here, so that no file of this project looks as if it had a key in it.
const r = (length: number, seed = 'r'): string => {
  const many = Array.from({ length: Math.ceil(length / 40) }, (_, n) =>
    createHash('sha256').update(`${seed}${n}`).digest('base64').replace(/[+/=]/g, 'x').slice(0, 40),
  );
  return `${many.join('').slice(0, length - 2)}Z9`;
};
const upper = (length: number): string =>
  r(length)
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, 'X');
const segment = (claims: object): string => Buffer.from(JSON.stringify(claims)).toString('base64url');
const jwt = [segment({ alg: 'HS256', typ: 'JWT' }), segment({ sub: '1234567890' }), r(43)].join('.');
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const lines = (r(256).match(/.{1,64}/g) ?? []).join('\n');
const pem = (kind: string, body = lines): string => `-----BEGIN ${kind}-----\n${body}\n-----END ${kind}-----`;

/** A text, and the parts of it that have to go. */
const hits: Readonly<Record<string, readonly [string, ...string[]]>> = {
  Anthropic: [`key ${['sk', 'ant', 'api03', r(80)].join('-')} end`, r(80)],
  'Anthropic after an escape': [JSON.stringify(`a\n${['sk', 'ant', 'api03', r(80)].join('-')}`), r(80)],
  OpenAI: [`x=${['sk', r(48)].join('-')}`, r(48)],
  'OpenAI after an escape': [JSON.stringify(`a\n${['sk', r(48)].join('-')}`), r(48)],
  'OpenAI in colour': [`\u001b[32m${['sk', r(48)].join('-')}\u001b[0m`, r(48)],
  'OpenAI project': [['sk', 'proj', `${r(40)}_${r(20, 'b')}`].join('-'), r(40), r(20, 'b')],
  'AWS id': [`AKIA${upper(16)}`, upper(16)],
  'AWS pair': [`ASIA${upper(16)},${r(40)}`, upper(16), r(40)],
  'AWS secret': [`aws_secret_access_key = ${r(40)}`, r(40)],
  'AWS secret in JSON': [JSON.stringify(JSON.stringify({ awsSecretAccessKey: r(40) })), r(40)],
  'AWS session': [`AWS_SESSION_TOKEN=${r(300)}`, r(300)],
  GitHub: [`ghp_${r(36)} gho_${r(36, 'o')} github_pat_${r(22)}_${r(59)}`, r(36), r(36, 'o'), r(59)],
  GitLab: [`glpat-${r(20)}`, r(20)],
  Slack: [`xoxb-123456789012-${r(24)} xapp-1-${r(30)}`, r(24), r(30)],
  'Slack hook': [`https://hooks.slack.com/services/T0000/B0000/${r(24)}`, r(24)],
  Google: [`AIza${r(35)} ya29.${r(60)} GOCSPX-${r(28)}`, r(35), r(60), r(28)],
  npm: [`npm_${r(36)} //registry.local/:_authToken=${r(24)}`, r(36), r(24)],
  Stripe: [`${['sk', 'live', r(24)].join('_')}, ${['whsec', r(32)].join('_')}`, r(24), r(32)],
  others: [`hf_${r(34)} gsk_${r(52)} hvs.${r(90)} pypi-${r(90)}`, r(34), r(52), r(90)],
  JWT: [`token ${jwt}.`, jwt.slice(0, 40), r(43)],
  'JWT in JSON in JSON': [JSON.stringify(JSON.stringify({ t: `\n${jwt}` })), jwt.slice(0, 40), r(43)],
  Bearer: [`curl -H 'Authorization: Bearer ${r(20)}'`, r(20)],
  'Bearer alone': [`sent bearer ${r(30)} and`, r(30)],
  Basic: [`Basic ${base64('me:pass')}`, base64('me:pass')],
  'Authorization without a scheme': [JSON.stringify({ Authorization: r(24) }), r(24)],
  'key header': [`X-Api-Key: ${r(32)}`, r(32)],
  'signed URL': [`https://b.s3.local/o?X-Amz-Signature=${r(64)}&x=1 /cb?access_token=${r(12)}`, r(64), r(12)],
  'password in a URL': ['postgres://raven:hunter2@db:5432/x', 'hunter2'],
  'password with an at sign': ['amqp://raven:hun@ter2@mq/x', 'hun@', 'ter2'],
  'password without a user': ['redis://:hunter2@cache', 'hunter2'],
  'password of a user with umlaut': ['https://jürgen:hunter2@host', 'hunter2'],
  'token as user': [`https://${r(30)}@github.local/a/b`, r(30)],
  'private key': [pem('PRIVATE KEY'), r(256).slice(0, 64), r(256).slice(-40)],
  'RSA key in JSON': [
    JSON.stringify({ key: pem('RSA PRIVATE KEY') }),
    r(256).slice(0, 64),
    r(256).slice(-40),
  ],
  'locked key': [
    pem('RSA PRIVATE KEY', `Proc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n\n${lines}`),
    r(256).slice(0, 64),
  ],
  'OpenSSH key': [pem('OPENSSH PRIVATE KEY'), r(256).slice(64, 128)],
  'PGP key': [pem('PGP PRIVATE KEY BLOCK'), r(256).slice(64, 128)],
  'key without its end': [pem('EC PRIVATE KEY').slice(0, -60), r(256).slice(0, 64), r(256).slice(128, 190)],
  'key without its beginning': [pem('EC PRIVATE KEY').slice(40), r(256).slice(64, 128), r(256).slice(-64)],
  'key as strings of code': [
    `"-----BEGIN PRIVATE KEY-----" +\n"${r(64)}" + "-----END PRIVATE KEY-----"`,
    r(64),
  ],
  'key in base64': [`tls.key: ${base64(pem('PRIVATE KEY'))}`, base64(pem('PRIVATE KEY')).slice(60, 120)],
};

for (const [kind, [text, ...secrets]] of Object.entries(hits)) {
  test(`a secret of a known shape goes: ${kind}`, () => {
    const scrubbed = scrub(text);
    for (const secret of secrets) {
      assert.ok(
        text.includes(secret) || text.replaceAll('\n', '').includes(secret),
        `the test plants ${secret}`,
      );
      assert.ok(!scrubbed.replace(/\n|\\n/g, '').includes(secret), scrubbed);
    }
    assert.ok(scrubbed.includes('[secret]'), scrubbed);
    assert.equal(scrub(scrubbed), scrubbed);
    // In JSON, and in JSON in JSON, as in the log.
    const nested = scrub(JSON.stringify({ output: JSON.stringify({ stdout: `line\n${text}\n` }) }));
    for (const secret of secrets) assert.ok(!nested.includes(secret), nested);
    assert.doesNotThrow(() => JSON.parse((JSON.parse(nested) as { output: string }).output));
  });
}

test('what only resembles a secret stays', () => {
  const misses = [
    'sk-learn-based-classifier-v2 and sk-fading-circle-container-1 and task-1234567890abcdef1234567890',
    'sk-ant-... and ghp_… and AKIA is how keys begin; glpat-xxxx',
    'Basic authentication, basic constraints, a basic configuration2 and the bearer certificates',
    'Authorization: required; authorization = optional',
    'curl -H "Authorization: Bearer $TOKEN" https://${USER}:${PASSWORD}@host/',
    'https://host:8443/path?token_count=12 and user@host and mailto:a@b',
    'AKIAB and XAKIA0123456789ABCDEFX and AIzaShort',
    'eyJhbGciOiJIUzI1NiJ9 alone, eyJ.eyJ.',
    'total_tokens=123456789 api_key_file=secrets/api.key password_reset=true',
    'grep "-----BEGIN CERTIFICATE-----" certs/ca.crt',
    pem('CERTIFICATE'),
    pem('PUBLIC KEY'),
    base64(pem('CERTIFICATE')),
    `${pem('CERTIFICATE')}\n${pem('CERTIFICATE REQUEST')}`,
  ];
  for (const text of misses) assert.equal(scrub(text), text);
});

test('only the secret goes', () => {
  assert.equal(scrub('postgres://raven:hunter2@db:5432/x'), 'postgres://raven:[secret]@db:5432/x');
  assert.equal(scrub(`Authorization: Bearer ${r(20)}`), 'Authorization: Bearer [secret]');
  assert.equal(
    scrub(`${pem('CERTIFICATE')}\n${pem('PRIVATE KEY')}\n${pem('CERTIFICATE')}`),
    `${pem('CERTIFICATE')}\n[secret]\n${pem('CERTIFICATE')}`,
  );
  assert.equal(scrub(`/x?sig=${r(20)}&page=2`), '/x?sig=[secret]&page=2');
});

test('twice the text takes about twice the work, whatever it is made of', () => {
  const value = ['sk', 'ant', 'api03', r(60)].join('-');
  const { text: withKnown } = scrubber([
    { name: 'K', value },
    { name: 'A', value: 'aB1'.repeat(20) },
  ]);
  const pieces = [
    ...[
      'a',
      'aB1',
      ' ',
      '\\',
      '"',
      '[',
      '[secret:K]',
      'sk-',
      'eyJ',
      'eyJ-',
      'eyJaaaaaaaaa.',
      'a://b:',
      '://a:b@',
      '://',
    ],
    ...[
      'Bearer ',
      'authorization: ',
      'basic aaaaaaaa',
      '&sig=',
      'x-api-key:',
      'AKIA',
      'glpat-',
      'xoxb-',
      'SG.a',
    ],
    ...[
      '-----BEGIN PRIVATE KEY-----',
      '-----END PRIVATE KEY-----',
      '-----BEGIN PRIVATE KEY-----"',
      'LS0tLS1CRUdJTi',
    ],
    ...[
      value,
      value.slice(0, 15),
      `${value.slice(0, 30)}\n`,
      base64(value),
      '_authToken=',
      'aws_secret_access_key=',
    ],
  ];
  const work = (piece: string, size: number): number => {
    const text = piece.repeat(Math.ceil(size / piece.length));
    const before = process.cpuUsage().user;
    withKnown(text);
    return process.cpuUsage().user - before;
  };
  for (const piece of pieces) {
    work(piece, 8 * 1024);
    const small = Math.max(work(piece, 16 * 1024), 3_000);
    // Eight times the text: 64 times the work if it were quadratic. The rest is for a busy machine.
    assert.ok(work(piece, 128 * 1024) < small * 24, JSON.stringify(piece));
  }
});
