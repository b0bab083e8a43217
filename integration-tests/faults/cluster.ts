/** What the campaign asks of a cluster of several brokers: whether all partitions are served, and to move their leaders. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';

const program = resolve(import.meta.dirname, 'ClusterAdmin.java');
/** Longer than the program gives a question itself. */
const answerMs = 40_000;
const askEveryMs = 150;

const state = z.object({
  brokers: z.number(),
  partitions: z.number(),
  /** Partitions without a leader, and with fewer in sync than writers want. */
  leaderless: z.number(),
  below_min: z.number(),
  out_of_sync: z.number(),
  /** How many partitions each broker leads, by its id. */
  leads: z.record(z.string(), z.number()),
});
export type ClusterState = z.output<typeof state>;

const moves = z.object({ moved: z.number(), refused: z.number() });

export class Cluster {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly brokers: number;
  private readonly waiting: ((line: string) => void)[] = [];
  /** One question at a time. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, brokers: number) {
    this.child = child;
    this.brokers = brokers;
    // An answer has a mark: the client's own complaints have none.
    createInterface(child.stdout).on('line', (line) => {
      if (/^[=!] /.test(line)) this.waiting.shift()?.(line);
    });
    child.once('exit', (code) => {
      for (const answer of this.waiting.splice(0)) answer(`! it ended (${code})`);
    });
    child.stdin.on('error', () => undefined);
  }

  /** Started from source, which takes a Java that can compile. */
  static start(java: string, classPath: string, bootstrap: readonly string[]): Cluster {
    const flags = [
      '-Xmx128m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Dorg.apache.logging.log4j.level=OFF',
    ];
    const child = spawn(java, [...flags, '-cp', classPath, program, bootstrap.join(',')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return new Cluster(child, bootstrap.length);
  }

  /** @param away The ids of brokers that are killed or frozen: what is said of them is not true any more. */
  async state(away: readonly number[] = []): Promise<ClusterState> {
    return state.parse(await this.ask(`state ${away.join(',')}`));
  }

  /** Gives the number of partitions that get another leader. */
  async moveLeaders(seed: number): Promise<z.output<typeof moves>> {
    return moves.parse(await this.ask(`move ${seed}`));
  }

  /** When every partition has a leader that lives, and enough in sync; epoch milliseconds. Null: not by then. */
  async served(away: () => readonly number[], withinMs: number, signal: AbortSignal): Promise<number | null> {
    return this.until((found) => found.leaderless + found.below_min === 0, away, withinMs, signal);
  }

  /** The same for all copies of every partition. */
  async inSync(withinMs: number, signal: AbortSignal): Promise<number | null> {
    const whole = (found: ClusterState) =>
      found.leaderless + found.out_of_sync === 0 && found.brokers === this.brokers;
    return this.until(whole, () => [], withinMs, signal);
  }

  private async until(
    holds: (state: ClusterState) => boolean,
    away: () => readonly number[],
    withinMs: number,
    signal: AbortSignal,
  ): Promise<number | null> {
    for (
      const late = Date.now() + withinMs;
      Date.now() < late;
      await sleep(askEveryMs, undefined, { signal })
    ) {
      try {
        if (holds(await this.state(away()))) return Date.now();
      } catch (error) {
        // Without a majority nobody answers; without the program nobody ever will.
        if (this.child.exitCode !== null) throw error;
      }
    }
    return null;
  }

  private ask(command: string): Promise<unknown> {
    const answer = this.last.then(async () => {
      const line = Promise.withResolvers<string>();
      this.waiting.push(line.resolve);
      if (this.child.exitCode !== null) line.resolve(`! it ended (${this.child.exitCode})`);
      else this.child.stdin.write(`${command}\n`);
      const late = sleep(answerMs, '! no answer', { ref: false });
      const text = await Promise.race([line.promise, late]);
      if (text.startsWith('= ')) return JSON.parse(text.slice(2)) as unknown;
      throw new Failure('broker_unavailable', `ClusterAdmin: ${command}: ${text.slice(2)}`);
    });
    this.last = answer.catch(() => undefined);
    return answer;
  }

  close(): void {
    this.child.kill('SIGKILL');
  }
}
