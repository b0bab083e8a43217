import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCompiler } from './java.ts';

test('a JRE is told from a JDK', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ravenhelm-java-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const javaOf = (name: string, ...modules: readonly string[]): string => {
    const file = join(folder, name);
    writeFileSync(file, `#!/bin/sh\n[ "$1" = --list-modules ] && printf '%s\\n' ${modules.join(' ')}\n`);
    chmodSync(file, 0o755);
    return file;
  };
  const asked = (file: string) => hasCompiler(file, process.env, t.signal);
  assert.equal(await asked(javaOf('jdk', 'java.base@17.0.15', 'jdk.compiler@17.0.15')), true);
  assert.equal(await asked(javaOf('jre', 'java.base@17.0.15', 'jdk.compilers@17')), false);
  assert.equal(await asked(join(folder, 'none')), false);
});
