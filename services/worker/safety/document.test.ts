import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

test('docs/safety-rules.md lists the rules and suspicions that there are, and no others', () => {
  const here = new URL('./', import.meta.url);
  const sources = readdirSync(here)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(new URL(file, here), 'utf8'));
  const inCode = sources.flatMap((source) =>
    [...source.matchAll(/\brule: '(\w+)'/g)].map((match) => match[1]),
  );
  const page = readFileSync(new URL('../../../docs/safety-rules.md', import.meta.url), 'utf8');
  const onPage = [...page.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]);
  assert.deepEqual([...new Set(onPage)].toSorted(), [...new Set(inCode)].toSorted());
  assert.ok(onPage.length > 20);
});
