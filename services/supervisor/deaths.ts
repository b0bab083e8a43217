import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Logger } from '#chassis/log.ts';
import { environmentOf } from './environment.ts';

export interface Death {
  readonly service: string;
  readonly pid: number;
  /** `given_up`: it is not started again. */
  readonly state: 'failed' | 'given_up';
  readonly reason: string;
  /** Epoch ms. */
  readonly started_at: number;
}

const obituary = join(import.meta.dirname, 'obituary.ts');
/** What could not be said by then is not worth it any more: who is silent is soon lost anyway. */
const mostWaiting = 20;

/** Has deaths told on the health topic, one after another, each by a process that is given no more than it needs. */
export class Deaths {
  private readonly env: NodeJS.ProcessEnv;
  private readonly log: Logger;
  private readonly waiting: Death[] = [];
  private telling: ChildProcess | null = null;
  private over = false;

  constructor(env: NodeJS.ProcessEnv, log: Logger) {
    this.env = env;
    this.log = log;
  }

  tell(death: Death): void {
    if (this.over || this.env['KAFKA_BROKERS'] === undefined || this.waiting.length >= mostWaiting) return;
    this.waiting.push(death);
    if (this.telling === null) this.next();
  }

  stop(): void {
    this.over = true;
    this.waiting.length = 0;
    this.telling?.kill('SIGKILL');
  }

  private next(): void {
    const death = this.waiting.shift();
    if (death === undefined) return;
    const child = spawn(process.execPath, [obituary, JSON.stringify(death)], {
      // The addresses of brokers and registry; no database, no provider.
      env: environmentOf('orchestrator', this.env),
      stdio: 'ignore',
    });
    this.telling = child;
    let done = false;
    const end = (why: string): void => {
      if (done) return;
      done = true;
      this.telling = null;
      if (why !== '' && !this.over)
        this.log.warn({ ...death, why }, 'an end could not be told on the health topic');
      this.next();
    };
    child.once('exit', (code, signal) => end(code === 0 ? '' : (signal ?? `exit code ${code}`)));
    child.once('error', (error) => end(error.message));
  }
}
