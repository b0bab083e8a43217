import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '#chassis/failures.ts';
import { withLock } from './lock.ts';
import { downloadSize, transferCounter } from './maven-progress.ts';
import type { Report } from './progress.ts';
import { lastLines } from './ready.ts';

const pom = fileURLToPath(new URL('./kafka/pom.xml', import.meta.url));

/** No download should take longer; a connection that hangs is ended by Maven itself before that. */
const longest = 20 * 60_000;

export interface Jars {
  /** Class path of the broker. */
  kafka: string;
  /** The registry's jar that can be run, beside its `lib`. */
  registry: string;
}

/** Whether the jars of this very `pom.xml` lie in `dir`. */
export async function jarsAreThere(dir: string): Promise<boolean> {
  const marker = await readFile(join(dir, 'complete'), 'utf8').catch(() => null);
  return marker !== null && marker === (await hashOfPom());
}

/**
 * Fetches Kafka and the registry with Maven into `dir`, unless they are there. One process fetches, others wait for it;
 * what is fetched is collected beside `dir` and renamed, so it is there whole or not at all.
 */
export async function fetchJars(o: {
  dir: string;
  log: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  report: Report;
}): Promise<Jars> {
  if (!(await jarsAreThere(o.dir))) {
    const total = downloadSize;
    o.report({ step: 'download', state: 'start', done: 0, total, unit: 'bytes' });
    try {
      await withLock(`${o.dir}.lock`, o.signal, async () => {
        if (!(await jarsAreThere(o.dir))) await fetchInto(o);
      });
    } catch (error) {
      o.report({ step: 'download', state: 'failed' });
      throw error;
    }
    o.report({ step: 'download', state: 'done', done: total, total, unit: 'bytes' });
  }
  const registry = join(o.dir, 'registry');
  const runner = (await readdir(registry)).find((name) => name.endsWith('-runner.jar'));
  if (runner === undefined) {
    throw new Failure(
      'stack_component_failed',
      `${registry} holds no registry; remove ${o.dir} and try again`,
    );
  }
  return { kafka: join(o.dir, 'kafka', '*'), registry: join(registry, runner) };
}

async function fetchInto(o: Parameters<typeof fetchJars>[0]): Promise<void> {
  const draft = `${o.dir}.new`;
  try {
    await rm(draft, { recursive: true, force: true });
    await runMaven(draft, o);
    await writeFile(join(draft, 'complete'), await hashOfPom());
    // Jars of another version may be in use by a running process, which keeps the files that it has open.
    await rm(o.dir, { recursive: true, force: true });
    await rename(draft, o.dir);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function runMaven(
  draft: string,
  o: { log: string; env: NodeJS.ProcessEnv; signal: AbortSignal; report: Report },
): Promise<void> {
  await mkdir(dirname(o.log), { recursive: true, mode: 0o700 });
  // Not in batch mode: only then does Maven say how far a file is. Nothing is asked, as there is no input.
  const args = [
    '--strict-checksums',
    '-Dstyle.color=never',
    '-f',
    pom,
    `-Dravenhelm.jars=${draft}`,
    'package',
  ];
  const signal = AbortSignal.any([o.signal, AbortSignal.timeout(longest)]);
  const child = spawn('mvn', args, { env: o.env, stdio: ['ignore', 'pipe', 'pipe'], signal });
  const log = createWriteStream(o.log, { mode: 0o600 });
  const count = transferCounter();
  let told = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    log.write(chunk.replace(/Progress \(\d+\):[^\r\n]*\r/g, ''));
    const done = Math.min(count(chunk), downloadSize);
    if (done - told < 500_000) return;
    told = done;
    o.report({ step: 'download', state: 'progress', done, total: downloadSize, unit: 'bytes' });
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => log.write(chunk));
  let code: number | null;
  try {
    code = await new Promise<number | null>((resolve, reject) => {
      child.once('close', resolve);
      child.once('error', reject);
    });
  } catch (cause) {
    o.signal.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure('stack_component_failed', `Maven could not do its work: ${why}`, { cause });
  } finally {
    await new Promise<void>((resolve) => log.end(() => resolve()));
  }
  if (code === 0) return;
  throw new Failure(
    'stack_component_failed',
    `Maven could not fetch Kafka and the registry (exit code ${code}). The end of ${o.log}:\n${await lastLines(o.log, 20)}`,
  );
}

async function hashOfPom(): Promise<string> {
  return createHash('sha256')
    .update(await readFile(pom))
    .digest('hex');
}
