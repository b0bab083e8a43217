/**
 * `npm test`: unit and integration tests in one run of node's own runner. Starts a local stack of its own (real
 * Kafka, registry and PostgreSQL on free ports), unless the environment names one, and leaves nothing running.
 *
 *   node scripts/test.ts [unit|integration|all] [pattern …]
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { asFailure, Failure } from '#chassis/failures.ts';
import { startTestStack } from './test-stack.ts';

const root = resolve(import.meta.dirname, '..');

const patterns = {
  unit: ['{schemas,topics,roles,missions,local,cli,scripts}/**/*.test.ts', 'services/**/*.test.ts'],
  integration: ['integration-tests/**/*.test.ts'],
} as const;

/** Types are stripped and code compiled once, not for each of the many processes; the second run is a fifth faster. */
const compileCache = resolve(root, '.ravenhelm', 'compile-cache');

/** Over one file a core, as the files that wait for a broker leave the cores idle. */
const filesAtOnce = '3';

async function main(): Promise<number> {
  const [kind = 'all', ...given] = process.argv.slice(2);
  if (kind !== 'unit' && kind !== 'integration' && kind !== 'all') {
    throw new Failure('invalid_configuration', `found ${kind}, expected unit, integration or all`);
  }
  const wanted =
    given.length > 0 ? given : kind === 'all' ? [...patterns.unit, ...patterns.integration] : patterns[kind];
  const files = globSync([...wanted], { cwd: root, exclude: ['node_modules/**'] }).sort();
  // `node --test` without a file succeeds, and an empty run must not.
  if (files.length === 0) throw new Failure('not_found', `no test file matches ${wanted.join(' ')}`);
  if (kind === 'unit') return runTests(files, {});

  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  process.once('SIGTERM', () => interrupted.abort());
  const stack = await startTestStack(interrupted.signal);
  try {
    return await runTests(files, stack.env);
  } finally {
    await stack.stop();
  }
}

function runTests(files: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const args = ['--test', `--test-concurrency=${filesAtOnce}`, '--test-reporter=spec', ...files];
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...env },
  });
  const stop = () => child.kill('SIGTERM');
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return new Promise((done) => {
    child.once('exit', (code) => done(code ?? 1));
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  const { code, message } = asFailure(error);
  process.stderr.write(`error ${code}: ${message}\n`);
  process.exitCode = 1;
}
