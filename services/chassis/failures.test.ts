/** The catalogue of failures and `docs/failures.md` say the same, both ways. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { catalogue, type FailureKind, isFailureCode, isRetried } from './failures.ts';

const page = readFileSync(new URL('../../docs/failures.md', import.meta.url), 'utf8');

interface Row extends FailureKind {
  readonly code: string;
}

/** The rows of all tables whose first cell is a code: `| `timeout` | yes | task | The attempt … |`. */
function rowsOf(markdown: string): Row[] {
  return markdown.split('\n').flatMap((line) => {
    const found = /^\| `(?<code>\w+)` \| (?<retried>\w+) \| (?<lands>\w+) \| (?<means>.+) \|$/.exec(line);
    if (!found?.groups) return [];
    const { code = '', retried = '', lands = '', means = '' } = found.groups;
    assert.match(retried, /^(yes|no)$/, `${code}: retried`);
    return [{ code, retried: retried === 'yes', lands: lands as FailureKind['lands'], means }];
  });
}

const rows = rowsOf(page);
const kinds: readonly (readonly [string, FailureKind])[] = Object.entries(catalogue);

describe('docs/failures.md', () => {
  it('has a row for each code of the catalogue, and none besides', () => {
    assert.deepEqual(
      rows.map(({ code }) => code),
      kinds.map(([code]) => code),
    );
  });

  it('says of each code what the catalogue says: whether it is retried, where it lands, what it means', () => {
    for (const { code, ...said } of rows) {
      if (isFailureCode(code)) assert.deepEqual(said, catalogue[code], code);
    }
  });

  it('explains every place where a failure can land', () => {
    for (const place of new Set(kinds.map(([, { lands }]) => lands))) {
      assert.match(page, new RegExp(`^- \\*\\*${place}\\*\\*: `, 'm'));
    }
  });
});

describe('the catalogue', () => {
  it('retries only what ends an attempt at a task', () => {
    for (const [code, { retried, lands }] of kinds) {
      if (retried) assert.equal(lands, 'task', code);
      assert.equal(isRetried(code), retried);
    }
  });

  it('does not retry what it does not know', () => {
    for (const code of ['no_such_code', 'toString', '']) assert.equal(isRetried(code), false);
  });
});
