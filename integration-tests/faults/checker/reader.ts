/**
 * Follows topics from their beginning, committed records only, through whatever happens to the brokers. What reads is
 * Kafka's own Java client (`Reader.java`): the services' client is what is on trial.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import { fetchJars } from '#local/jars.ts';
import { findJava, hasCompiler, type Java } from '#local/java.ts';

export interface Seen {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: Buffer | null;
  /** As text. */
  readonly headers: Readonly<Record<string, string>>;
  /** When its producer wrote it, by the producer's clock; epoch milliseconds. */
  readonly timestamp: number;
  /** When it was read here. */
  readonly readAt: number;
}

export interface ReaderSettings {
  readonly brokers: string;
  readonly topics: readonly string[];
  /** Called for one record after the other, in order within a partition, once each; called again when it throws. */
  readonly take: (seen: Seen) => Promise<void>;
  /** The log of `place` (topic/partition) no longer has what was to be read next. */
  readonly gap: (place: string, what: string) => void;
}

const program = resolve(import.meta.dirname, 'Reader.java');
const jarsFolder = resolve(import.meta.dirname, '../../../.ravenhelm/jars');
const startMs = 120_000;

/** The Java of the local stack, if it can run a program from its source. */
export async function findJdk(signal: AbortSignal): Promise<Java> {
  const { env } = process;
  const java = await findJava(env, signal);
  if (!java.found || (await hasCompiler(java.file, env, signal))) return java;
  return { found: false, why: `${java.file} is a JRE, which runs nothing from its source: install a JDK` };
}

export class Reader {
  private readonly settings: ReaderSettings;
  private readonly next = new Map<string, number>();
  private readonly waiting = new Map<string, () => void>();
  private readonly ready = Promise.withResolvers<void>();
  /** Rejects when the program has ended although nobody closed it. */
  private readonly ended = Promise.withResolvers<never>();
  private child: ChildProcess | null = null;
  private reading: Promise<void> | null = null;
  private closing = false;
  private asked = 0;
  /** The last of what it complained about. */
  private complaints = '';

  constructor(settings: ReaderSettings) {
    this.settings = settings;
    // Whoever waits for it hears of it; nobody may.
    this.ended.promise.catch(() => undefined);
  }

  /** Resolves when it reads. Throws Failure `stack_unavailable` without a JDK. */
  async start(signal: AbortSignal): Promise<void> {
    const { env } = process;
    const jdk = await findJdk(signal);
    if (!jdk.found) throw new Failure('stack_unavailable', `the checker reads with Java: ${jdk.why}`);
    const log = resolve(jarsFolder, '..', 'maven.log');
    const jars = await fetchJars({ dir: jarsFolder, log, env, signal, report: () => {} });
    const { brokers, topics } = this.settings;
    const options = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx384m', '-cp', jars.kafka];
    const child = spawn(jdk.file, [...options, program, brokers, ...topics], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child = child;
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.complaints = (this.complaints + text).slice(-2000);
    });
    child.once('error', (error) => this.fail(error.message));
    child.once('exit', (code, by) => this.fail(`exit code ${code ?? by}`));
    this.reading = this.read(createInterface({ input: child.stdout }));
    await this.within(this.ready.promise, startMs, signal, 'begun to read');
  }

  /**
   * Resolves when all that was committed when it is called has been taken. Throws Failure `deadline_exceeded` when it
   * was not by then, and `internal_error` when the program has ended.
   */
  async readToEnd(deadlineMs: number, signal: AbortSignal): Promise<void> {
    this.asked += 1;
    const id = String(this.asked);
    const reached = Promise.withResolvers<void>();
    this.waiting.set(id, reached.resolve);
    this.child?.stdin?.write(`end ${id}\n`);
    try {
      await this.within(reached.promise, deadlineMs, signal, 'read to the end of all partitions');
    } finally {
      this.waiting.delete(id);
    }
  }

  async close(): Promise<void> {
    this.closing = true;
    const { child } = this;
    if (child === null) return;
    const exited = new Promise<void>((done) => {
      if (child.exitCode !== null || child.signalCode !== null) done();
      else child.once('exit', () => done());
    });
    child.stdin?.end();
    const late = setTimeout(() => child.kill('SIGKILL'), 5000);
    await exited;
    clearTimeout(late);
    await this.reading;
  }

  private async within(what: Promise<void>, ms: number, signal: AbortSignal, done: string): Promise<void> {
    signal.throwIfAborted();
    const over = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const why = `the checker's reader has not ${done} in ${ms} ms: ${this.complaints || 'no complaints'}`;
      over.reject(new Failure('deadline_exceeded', why));
    }, ms);
    const abort = () => over.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race([what, this.ended.promise, over.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  private fail(how: string): void {
    if (this.closing) return;
    this.ended.reject(
      new Failure('internal_error', `the checker's reader ended (${how}): ${this.complaints}`),
    );
  }

  private async read(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) {
      if (this.closing) return;
      const [what, ...fields] = line.split('\t');
      if (what === 'record') await this.take(fields);
      else if (what === 'ready') this.ready.resolve();
      else if (what === 'read') this.waiting.get(fields[0] ?? '')?.();
      else if (what === 'gap') this.settings.gap(`${fields[0]}/${fields[1]}`, fields[2] ?? '');
    }
  }

  private async take(fields: readonly string[]): Promise<void> {
    const [topic = '', partition, at, timestamp, key = '-', value = '-', headers = ''] = fields;
    const place = `${topic}/${partition}`;
    const offset = Number(at);
    // Behind a gap it reads from the beginning again.
    if (offset < (this.next.get(place) ?? 0)) return;
    const seen = {
      topic,
      partition: Number(partition),
      offset,
      key: bytesOf(key)?.toString() ?? '',
      value: bytesOf(value),
      headers: headersOf(headers),
      timestamp: Number(timestamp),
      readAt: Date.now(),
    };
    while (!this.closing) {
      try {
        await this.settings.take(seen);
        break;
      } catch (error) {
        this.complaints = String(error);
        await sleep(500);
      }
    }
    this.next.set(place, offset + 1);
  }
}

const bytesOf = (field: string): Buffer | null => (field === '-' ? null : Buffer.from(field, 'base64'));

function headersOf(field: string): Record<string, string> {
  if (field === '') return {};
  const pairs = field
    .split(',')
    .map((pair) => pair.split(':').map((each) => bytesOf(each)?.toString() ?? ''));
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value]));
}
