#!/usr/bin/env node
// Plain JavaScript, so that any Node can read it: TypeScript is only for Node 24, which comes with the `node` package.
import { spawn } from 'node:child_process';
import * as nodeModule from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const needed = 24;

if (Number(process.versions.node.split('.')[0]) >= needed) {
  nodeModule.enableCompileCache();
  const { main } = await import('./main.ts');
  await main(process.argv.slice(2));
} else {
  runOnNewerNode();
}

function runOnNewerNode() {
  const self = fileURLToPath(import.meta.url);
  let node;
  try {
    node = join(
      dirname(nodeModule.createRequire(import.meta.url).resolve('node/package.json')),
      'bin',
      'node',
    );
  } catch {
    process.stderr.write(
      `error invalid_configuration: found Node ${process.versions.node}, expected ${needed} or newer\n`,
    );
    process.stderr.write('  Run `npm ci`, which brings one along.\n');
    process.exit(2);
  }
  const child = spawn(node, [self, ...process.argv.slice(2)], { stdio: 'inherit' });
  // The terminal sends Ctrl-C to both of us; the command decides what it means.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    process.stderr.write(`error invalid_configuration: ${node} cannot be run: ${error.message}\n`);
    process.exit(2);
  });
  child.once('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
