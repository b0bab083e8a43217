import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Failure } from '#chassis/failures.ts';
import { brokersKnownTo } from './kafka-answer.ts';
import type { Report, Step } from './progress.ts';

/** Asks once; rejects when the answer is not that of a component that is ready. */
export type Probe = (signal: AbortSignal) => Promise<unknown>;

/** Ready is a broker that knows of at least so many, itself among them. */
export const kafkaProbe =
  (broker: string, expected = 1): Probe =>
  async (signal) => {
    const brokers = await brokersKnownTo(broker, signal);
    if (brokers.length === 0) throw new Error(`${broker} has not joined its cluster yet`);
    if (brokers.length < expected)
      throw new Error(`${broker} knows of ${brokers.length} of ${expected} brokers`);
  };

/** The registry's own URL may carry a user and a password, which `fetch` wants in a header. */
export const registryProbe =
  (registry: string): Probe =>
  async (signal) => {
    const url = new URL(registry);
    const headers = new Headers();
    if (url.username !== '') {
      const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      headers.set('authorization', `Basic ${Buffer.from(user).toString('base64')}`);
    }
    url.username = '';
    url.password = '';
    url.pathname = `${url.pathname.replace(/\/$/, '')}/subjects`;
    const response = await fetch(url, { signal, headers });
    const body = await response.text();
    if (!response.ok) throw new Error(`${url.href} answered ${response.status}`);
    if (!Array.isArray(JSON.parse(body)))
      throw new Error(`${url.href} did not answer with a list of subjects`);
  };

export const databaseProbe =
  (database: string): Probe =>
  async (signal) => {
    await withClient(database, signal, (client) => client.query('select 1'));
  };

/** Connects, runs `work`, and disconnects; gives up on the signal, at the latest after 10 s. */
export async function withClient<T>(
  database: string,
  signal: AbortSignal,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const client = new pg.Client({
    connectionString: database,
    connectionTimeoutMillis: 10_000,
    query_timeout: 10_000,
  });
  // An error between two queries would otherwise end the process; the next query reports it.
  client.on('error', () => {});
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([client.connect().then(() => work(client)), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    await Promise.race([client.end().catch(() => {}), sleep(1_000, undefined, { ref: false })]);
  }
}

export interface Wait {
  step: Step;
  probe: Probe;
  /** Milliseconds from now. */
  deadline: number;
  /** Resolves when the process that is waited for has ended. */
  ended?: Promise<string>;
  log: string | null;
  signal: AbortSignal;
  report: Report;
}

/**
 * Asks again and again until the probe resolves. Throws `stack_component_failed`, with the end of the log, when the
 * process ends or the deadline passes; the signal's reason on abort.
 */
export async function untilReady(wait: Wait): Promise<void> {
  const begin = performance.now();
  const end: { how?: string } = {};
  void wait.ended?.then((how) => {
    end.how = how;
  });
  let told = 0;
  for (;;) {
    wait.signal.throwIfAborted();
    const attempt = AbortSignal.any([wait.signal, AbortSignal.timeout(5_000)]);
    let cause: unknown;
    try {
      await wait.probe(attempt);
      return;
    } catch (error) {
      wait.signal.throwIfAborted();
      cause = error;
    }
    if (end.how !== undefined) throw await notReady(wait, `ended (${end.how}) before it was ready`, cause);
    const waited = performance.now() - begin;
    if (waited > wait.deadline) {
      throw await notReady(wait, `is not ready after ${wait.deadline / 1000} s (${words(cause)})`, cause);
    }
    if (waited - told >= 1_000) {
      told = waited;
      const s = Math.floor(waited / 1000);
      wait.report({ step: wait.step, state: 'progress', done: s, total: wait.deadline / 1000, unit: 's' });
    }
    await sleep(50, undefined, { signal: wait.signal });
  }
}

async function notReady(wait: Wait, what: string, cause: unknown): Promise<Failure> {
  const end = wait.log === null ? '' : `. The end of ${wait.log}:\n${await lastLines(wait.log, 20)}`;
  return new Failure('stack_component_failed', `${wait.step} ${what}${end}`, { cause });
}

function words(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message || error.name;
}

/** The last lines of a file, of its last 32 KiB at most; empty when there is none. */
export async function lastLines(path: string, lines: number): Promise<string> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - 32 * 1024);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-lines).join('\n');
  } finally {
    await file.close();
  }
}
