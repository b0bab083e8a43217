import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { scrubber } from './secrets.ts';

const value = 'k9Xw-2fQz_77+Lm/0pRt~Vb3nEo5sHd8uGc1yJa4iKe6tFo';
const secret = { name: 'SERVICE_KEY', value };
const marker = '[secret:SERVICE_KEY]';
const known = scrubber([secret]);

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const hex = Buffer.from(value).toString('hex');
const pairs = hex.match(/../g) ?? [];
const wrapped = (text: string, width: number, end = '\n'): string =>
  (text.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).join(end);

/** How a value is found in the wild, and a piece of each that must not be left. */
const forms: Readonly<Record<string, string>> = {
  plain: value,
  'in JSON': JSON.stringify({ key: value }),
  'in JSON in JSON': JSON.stringify({ output: JSON.stringify({ stdout: `${value}\n` }) }),
  'in a URL': `https://api.local/?k=${encodeURIComponent(value)}`,
  'in a form': new URLSearchParams({ v: value }).toString(),
  base64: base64(value),
  'base64 with a line end': base64(`${value}\n`),
  'base64, one byte before': base64(`x${value}`),
  'base64, two bytes before': base64(`ab${value}yz`),
  base64url: Buffer.from(`?${value}`).toString('base64url'),
  'base64 wrapped': wrapped(base64(`user:${value} and more, so that there is a second line`), 64),
  'base64 wrapped in the middle': wrapped(base64(value), 24),
  'base64 wrapped, in JSON': JSON.stringify({ stdout: wrapped(base64(value), 40) }),
  hex,
  'hex, capital': hex.toUpperCase(),
  'hex in pairs': pairs.join(' '),
  'hex with colons': pairs.join(':'),
  'cut off in front': value.slice(20),
  'cut off at the end': value.slice(0, 18),
  'wrapped itself': wrapped(value, 20),
};

for (const [how, text] of Object.entries(forms)) {
  test(`a known value is found ${how}, and named`, () => {
    const scrubbed = known.text(`before ${text} after`);
    assert.ok(scrubbed.includes(marker), scrubbed);
    const decoded = Buffer.from(scrubbed.replace(/\[secret[^\]]*\]/g, ''), 'base64').toString('latin1');
    for (const left of [scrubbed, decoded]) {
      for (let at = 0; at + 12 <= value.length; at++)
        assert.ok(!left.includes(value.slice(at, at + 12)), left);
    }
    assert.ok(
      !scrubbed.includes(hex.slice(8, 24)) && !scrubbed.toLowerCase().includes(hex.slice(-16)),
      scrubbed,
    );
    assert.deepEqual(known.finds(text), ['SERVICE_KEY']);
    assert.match(scrubbed, /^before .* after$/s);
  });
}

test('xxd and openssl show bytes in groups and lines, and show nothing', () => {
  const lines: string[] = [];
  for (let at = 0; at < hex.length; at += 32) {
    const groups = wrapped(hex.slice(at, at + 32), 4, ' ');
    const plain = Buffer.from(hex.slice(at, at + 32), 'hex').toString();
    lines.push(`${(at / 2).toString(16).padStart(8, '0')}: ${groups}  ${plain}`);
  }
  const scrubbed = known.text(lines.join('\n'));
  for (let at = 0; at + 16 <= value.length; at += 16) {
    assert.ok(!scrubbed.includes(value.slice(at, at + 16)), scrubbed);
    assert.ok(!scrubbed.includes(wrapped(hex.slice(at * 2, at * 2 + 32), 4, ' ')), scrubbed);
  }
});

test('a line end anywhere in a value leaves no piece of it, however short', () => {
  for (const whole of [value, base64(value).slice(0, Math.floor((value.length * 8) / 6))]) {
    for (let at = 1; at < whole.length; at++) {
      for (const end of ['\n', '\\n', '\r\n  ', '\\\\n']) {
        const scrubbed = known.text(whole.slice(0, at) + end + whole.slice(at));
        assert.equal(scrubbed.replaceAll(marker, '').replace(/\\*[nr]|\s|=/g, ''), '', `${at} ${scrubbed}`);
      }
    }
  }
});

test('what only resembles a known value stays', () => {
  const near = [value.slice(0, 12), value.toUpperCase(), value.split('').join(' '), `${value[0]}`, ''];
  for (const text of near) assert.equal(known.text(text), text);
  assert.deepEqual(known.finds(near.join('\n')), []);
});

test('hashes, ids and certificates survive', () => {
  const survivors = [
    createHash('sha1').update('x').digest('hex'),
    createHash('sha256').update('x').digest('hex'),
    createHash('sha256').update('x').digest('base64'),
    randomUUID(),
    '0199c0de-7000-7000-8000-000000000000/deploy-cert_agent-wave1/1/1/12',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    `-----BEGIN CERTIFICATE-----\n${wrapped(base64('a certificate is public '.repeat(20)), 64)}\n-----END CERTIFICATE-----`,
    '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----',
    'sha512-oMGzqKwp0TGqVqPvtHn5sBtRmXcSmBSDBGCGvXcWPYZOB9b9PzSCrbU3bGm4BCgJk5hlpG1YHZHhkmTtZGyJTQ==',
    'image: redis@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    'git@github.com:owner/repository.git and ssh://git@host:22/path and http://localhost:8080/@scope/name',
  ];
  for (const text of survivors) assert.equal(known.text(text), text);
});

test('the same value comes back when there is nothing to scrub, and only the secret changes when there is', () => {
  const clean = { a: [1, 'two words', null, { b: true }], at: new Date(0), bytes: Buffer.from(value) };
  assert.equal(known.value(clean), clean);
  const given = { text: `is ${value}`, list: [{ [value]: 1 }, 'x'], keep: clean, none: undefined, n: 3n };
  assert.deepEqual(known.value(given), { ...given, text: `is ${marker}`, list: [{ [marker]: 1 }, 'x'] });
  assert.equal(given.text, `is ${value}`);
  assert.equal(known.value(value), marker);
});

test('two keys that are secrets stay two, and __proto__ is a key', () => {
  const given = JSON.parse(
    `{"${value}": 1, "${encodeURIComponent(value)}": 2, "__proto__": {"a": "${value}"}}`,
  ) as object;
  assert.equal(
    JSON.stringify(known.value(given)),
    `{"${marker}":1,"${marker}#2":2,"__proto__":{"a":"${marker}"}}`,
  );
});

test('nesting deeper than the stack, and circles, are no trouble', () => {
  let deep: unknown[] = [value];
  for (let level = 0; level < 200_000; level++) deep = [deep];
  let inner: unknown = known.value(deep);
  while (Array.isArray(inner)) inner = inner[0];
  assert.equal(inner, marker);
  const round: { self?: unknown } = {};
  round.self = round;
  assert.equal(known.value(round), round);
  const circle: { self?: unknown; said: string } = { said: value };
  circle.self = circle;
  const scrubbed = known.value(circle);
  assert.equal(scrubbed.said, marker);
  assert.equal(scrubbed.self, scrubbed);
});

test('a secret that overlaps another leaves nothing of either', () => {
  const both = scrubber([
    { name: 'A', value: 'abcdefgh1234' },
    { name: 'B', value: '1234stuvwxyz' },
  ]);
  assert.equal(both.text('<abcdefgh1234stuvwxyz>'), '<[secret:A]>');
});

test('a value like the name of its variable does not scrub the marker', () => {
  const odd = scrubber([{ name: 'DB_PASSWORD', value: 'PASSWORD' }]);
  const once = odd.text('it is PASSWORD');
  assert.equal(once, 'it is [secret:DB_PASSWORD]');
  assert.equal(odd.text(once), once);
  // A marker that nobody has made hides nothing.
  assert.equal(odd.text('[secret:PASSWORD]'), '[secret:[secret:DB_PASSWORD]]');
});

test('a secret registered later is known from then on; one that is too short is refused', () => {
  const later = scrubber();
  const late = { 'late-value-1': 'late-value-1' };
  assert.equal(later.value(late), late);
  assert.equal(later.register({ name: 'MCP header', value: 'late-value-1' }), true);
  assert.deepEqual(later.value(late), { '[secret:MCP_header]': '[secret:MCP_header]' });
  assert.equal(later.register({ name: 'SHORT', value: 'short' }), false);
});

test('a secret that begins like an escape leaves JSON behind', () => {
  const newline = scrubber([{ name: 'N', value: 'nabcdefgh' }]);
  const line = JSON.stringify({ text: 'x\nabcdefgh' });
  assert.doesNotThrow(() => JSON.parse(newline.text(line)));
});

const anyText = fc.string({ unit: 'binary', maxLength: 200 });
const bits = fc.constantFrom(
  ...[
    value,
    value.slice(0, 10),
    base64(value),
    marker,
    '\\',
    '\\n',
    '"',
    '\n',
    ' ',
    '://',
    'u:',
    '@',
    'Bearer ',
  ],
  ...[
    'eyJ',
    '.',
    '-----BEGIN PRIVATE KEY-----',
    '-----END PRIVATE KEY-----',
    ['sk', 'ant', ''].join('-'),
    'AKIA',
  ],
  ...['aB3'.repeat(10), '=', ':', 'authorization'],
);
const texts = fc.oneof(
  anyText,
  fc.array(fc.oneof(bits, anyText), { maxLength: 12 }).map((all) => all.join('')),
);

test('property: scrubbing twice is scrubbing once, and no known value is left', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const once = known.text(text);
      assert.equal(known.text(once), once);
      assert.ok(!once.includes(value) && !once.includes(base64(value).slice(0, 40)));
    }),
    { numRuns: 300 },
  );
});

test('property: JSON stays JSON, of the same shape', () => {
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 4 }), texts, (list, text) => {
      const scrubbed: unknown = JSON.parse(known.text(JSON.stringify({ list, text })));
      assert.ok(typeof scrubbed === 'object' && scrubbed !== null && 'list' in scrubbed);
      assert.equal((scrubbed.list as unknown[]).length, list.length);
    }),
    { numRuns: 300 },
  );
});

test('property: pieces of a stream are scrubbed as the whole', () => {
  // Half a key is another matter: its end tells what to do with its beginning.
  const key = `-----BEGIN PRIVATE KEY-----\n${wrapped('aB3'.repeat(80), 64)}\n-----END PRIVATE KEY-----`;
  const whole = fc.oneof(
    bits.filter((bit) => !bit.startsWith('-----')),
    fc.constant(key),
  );
  const words = fc.oneof({ weight: 4, arbitrary: fc.string({ maxLength: 12 }) }, whole);
  const cuts = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(fc.array(words, { minLength: 100, maxLength: 300 }), cuts, (all, widths) => {
      const text = all.join(' ');
      const stream = known.stream();
      let shown = '';
      for (let at = 0, n = 0; at < text.length; n++) {
        const width = widths[n % widths.length] ?? 1;
        shown += stream.push(text.slice(at, at + width));
        at += width;
      }
      shown += stream.end();
      assert.equal(shown, known.text(text));
    }),
    { numRuns: 25 },
  );
});

test('a stream shows what is safe before its end, and a secret across pieces never', () => {
  const stream = known.stream();
  let shown = '';
  for (let n = 0; n < 200; n++) shown += stream.push('some words of an answer ');
  assert.ok(shown.length > 3_000, `found ${shown.length} characters`);
  for (const letter of `key ${value} and a key\n-----BEGIN PRIVATE KEY-----\n${'MIIE'.repeat(500)}\n`)
    shown += stream.push(letter);
  for (let n = 0; n < 200; n++) shown += stream.push('more words of it ');
  shown += stream.push('-----END PRIVATE KEY-----') + stream.end();
  assert.ok(shown.includes(marker));
  for (let at = 0; at + 16 <= value.length; at++) assert.ok(!shown.includes(value.slice(at, at + 16)));
  assert.ok(!shown.includes('MIIEMIIE'));
});

test('text without a space, and a key without an end, come out of a stream at last', () => {
  const stream = known.stream();
  let shown = 0;
  for (let n = 0; n < 400; n++) shown += stream.push('x'.repeat(1_000)).length;
  assert.ok(shown > 300_000, `found ${shown}`);
});
