import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { copyWithout, patchOf, protections } from './broken.ts';

test('each protection that the campaign can take out of the code is still there to be taken out', async () => {
  for (const { name } of protections) rmSync(await copyWithout(name), { recursive: true });
});

test('there is no patch that nobody tries', () => {
  const found = readdirSync(dirname(patchOf('x'))).toSorted();
  assert.deepEqual(found, protections.map(({ name }) => `${name}.patch`).toSorted());
});
