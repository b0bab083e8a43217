/** `docs/security.md` names tests that exist: a page that says what was tried must not outlive the trying. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/security.md'), 'utf8');

interface Named {
  readonly input: string;
  readonly file: string;
  readonly name: string;
}

/** The rows of all tables whose head is `input | what happens | test`. */
function rows(markdown: string): readonly string[][] {
  const found: string[][] = [];
  let within = false;
  for (const line of markdown.split('\n')) {
    if (line === '| input | what happens | test |') within = true;
    else if (!line.startsWith('|')) within = false;
    else if (within && !/^\|[-|]+$/.test(line)) {
      const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
      found.push(cells.slice(1, -1));
    }
  }
  return found;
}

/** `` `a.test.ts`: *one*, *two*; `b.test.ts`: *three* `` */
function testsOf([input = '', , cell = '']: readonly string[]): Named[] {
  return cell.split(/; (?=`)/).flatMap((part) => {
    const [, file = '', names = ''] = /^`([\w./-]+\.test\.ts)`: (.+)$/.exec(part) ?? [];
    assert.ok(file !== '', `${input}: found ${part}, expected \`file.test.ts\`: *name*`);
    return [...names.matchAll(/(?:^|, )\*((?:\\\*|[^*])+)\*(?=, \*|$)/g)].map(([, name = '']) => ({
      input,
      file,
      name: name.replace(/\\(.)/g, '$1'),
    }));
  });
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The texts in quotes of a file; what is filled in, in a template, can be any text. */
function literalsOf(file: string): readonly string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])*)`/g)].map(
    ([, single, double, template]) =>
      (single ?? double ?? template ?? '').replace(/\\(['"`])/g, '$1').replace(/\$\{[^}]*\}/g, '…'),
  );
}

const matches = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.split('…').map(escaped).join('.*')}$`, 's').test(text);

/** A template with next to no text of its own would be the name of anything. */
const isNameOf = (name: string, literal: string): boolean =>
  name.replaceAll('…', '').length > 8 &&
  (matches(name, literal) || (literal.replaceAll('…', '').trim().length > 8 && matches(literal, name)));

const files = globSync('{cli,integration-tests,missions,roles,schemas,services,topics}/**/*.test.ts', {
  cwd: root,
});

test('each row of docs/security.md names tests that there are', () => {
  const all = rows(page);
  assert.ok(all.length > 60, `found ${all.length} rows`);
  const known = new Map<string, readonly string[]>();
  const missing: string[] = [];
  let named = 0;
  for (const row of all) {
    assert.equal(row.length, 3, `${row[0]}: found ${row.length} cells`);
    const tests = testsOf(row);
    assert.ok(tests.length > 0, `${row[0]}: found no test`);
    named += tests.length;
    for (const { input, file, name } of tests) {
      const [path, ...others] = files.filter((each) => each === file || each.endsWith(`/${file}`));
      if (path === undefined) {
        missing.push(`${input}: there is no ${file}`);
        continue;
      }
      if (others.length > 0) missing.push(`${input}: there is more than one ${file}, name its folder`);
      const literals = known.get(path) ?? literalsOf(path);
      known.set(path, literals);
      if (!literals.some((literal) => isNameOf(name, literal)))
        missing.push(`${input}: ${file} has no test "${name}"`);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(named > 100, `found ${named} names`);
});

test('a name that no test has is found out', () => {
  assert.ok(isNameOf('a fork bomb stays small, and ends (…)', 'a fork bomb stays small, and ends (…)'));
  assert.ok(isNameOf('… is denied whatever the rules say', '… is denied whatever the rules say'));
  assert.ok(isNameOf('JSON of lists is read', 'JSON … is read'));
  for (const [name, literal] of [
    ['a fork bomb stays small', '…'],
    ['a fork bomb stays small', '… (…)'],
    ['…', 'a fork bomb stays small'],
    ['a fork bomb stays small', 'a fork bomb stays small, and ends'],
    ['… is denied', 'a call is denied whatever the rules say'],
  ] as const) {
    assert.ok(!isNameOf(name, literal), `${name} is not ${literal}`);
  }
});
