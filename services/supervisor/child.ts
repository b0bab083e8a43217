import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '#chassis/log.ts';
import { identityOf } from '#local/processes.ts';
import type { Death } from './deaths.ts';
import { withLog } from './log-file.ts';
import { probe } from './probe.ts';
import { afterEnd, noHistory, type RestartPolicy } from './restart-policy.ts';
import type { ServiceSpec } from './services.ts';
import type { ServiceRecord, ServiceState } from './state-file.ts';

/** How often and how long a service is asked for its health; ms. */
export interface Watch {
  /** Between two questions, while it is not ready and while it is. */
  readonly startingEveryMs: number;
  readonly readyEveryMs: number;
  /** How long it may take to answer at first, and how long it may be silent later, before it is killed. */
  readonly startMs: number;
  readonly silentMs: number;
}

export interface ChildSettings {
  readonly spec: ServiceSpec;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly logDir: string;
  readonly policy: RestartPolicy;
  readonly watch: Watch;
  readonly log: Logger;
  /** A port of loopback that nobody else uses. */
  readonly choosePort: () => Promise<number>;
  readonly changed: () => void;
  /** It has ended otherwise than it was told to; `given_up`: and will not be started again. */
  readonly died?: (how: Pick<Death, 'pid' | 'state' | 'reason' | 'started_at'>) => void;
}

const leash = new URL('leash.ts', import.meta.url).href;

/** One service, kept alive: started, asked for its health, started again when it ends, until it is stopped. */
export class Child {
  readonly #settings: ChildSettings;
  readonly #stopping = new AbortController();
  #done: Promise<void>;
  #process: ChildProcess | null = null;
  #record: ServiceRecord;

  constructor(settings: ChildSettings) {
    this.#settings = settings;
    const nothing = { pid: null, identity: null, restarts: 0, health_port: 0, last_end: '' };
    this.#record = { name: settings.spec.name, state: 'starting', since: Date.now(), ...nothing };
    this.#done = this.#keepAlive();
  }

  get record(): ServiceRecord {
    return this.#record;
  }

  /** SIGTERM, and SIGKILL after the deadline. Resolves when the process is gone. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    this.#process?.kill('SIGTERM');
    const kill = setTimeout(() => {
      this.#settings.log.error({ service: this.#record.name, deadlineMs }, 'did not drain in time; killed');
      this.#process?.kill('SIGKILL');
    }, deadlineMs);
    await this.#done;
    clearTimeout(kill);
  }

  /** Starts it again, with its whole budget, if it was given up. */
  revive(): void {
    if (this.#record.state !== 'given_up' || this.#stopping.signal.aborted) return;
    this.#settings.log.info({ service: this.#record.name }, 'revived');
    this.#become('starting', { restarts: this.#record.restarts + 1 });
    this.#done = this.#keepAlive();
  }

  async #keepAlive(): Promise<void> {
    const { spec, policy, log } = this.#settings;
    const stopping = this.#stopping.signal;
    let history = noHistory;
    while (!stopping.aborted) {
      const startedAt = performance.now();
      const started_at = Date.now();
      const { how, exitCode, wasReady, pid } = await this.#runOnce();
      const gone = { pid: null, identity: null, last_end: how };
      this.#become(stopping.aborted ? 'stopped' : 'restarting', gone);
      if (stopping.aborted) break;
      const end = afterEnd(history, { startedAt, endedAt: performance.now(), exitCode, wasReady }, policy);
      history = end.history;
      if (end.verdict.kind === 'give_up') {
        const { why } = end.verdict;
        log.fatal({ service: spec.name, last_end: how, why }, 'given up; `ravenhelm logs` says more');
        this.#become('given_up');
        if (pid !== null)
          this.#settings.died?.({ pid, state: 'given_up', reason: `${how}; given up`, started_at });
        return;
      }
      if (pid !== null && exitCode !== 0)
        this.#settings.died?.({ pid, state: 'failed', reason: how, started_at });
      const { afterMs } = end.verdict;
      log.warn({ service: spec.name, ended: how, restart_in_ms: afterMs }, 'ended; will be started again');
      await sleep(afterMs, undefined, { signal: stopping }).catch(() => undefined);
      if (!stopping.aborted) this.#become('starting', { restarts: this.#record.restarts + 1 });
    }
    this.#become('stopped');
  }

  async #runOnce(): Promise<Ending & { wasReady: boolean; pid: number | null }> {
    const { spec, cwd, logDir, log, choosePort } = this.#settings;
    const env = spec.environment?.(this.#settings.env) ?? this.#settings.env;
    const port = await choosePort();
    if (this.#stopping.signal.aborted) return { how: 'stopped', exitCode: null, wasReady: false, pid: null };
    const child = withLog(join(logDir, `${spec.name}.log`), (fd) =>
      spawn(process.execPath, ['--import', leash, spec.main, ...spec.args], {
        cwd,
        env: { ...env, HEALTH_PORT: String(port), RAVENHELM_SUPERVISOR_PID: String(process.pid) },
        // Its log is its own: it never waits for us, and its last words are kept when we are gone.
        stdio: ['ignore', fd, fd, 'ipc'],
      }),
    );
    const ended = endOf(child);
    this.#process = child;
    const pid = child.pid ?? null;
    this.#become('starting', { pid, health_port: port });
    log.info({ service: spec.name, service_pid: pid, health_port: port }, 'started');
    const gone = new AbortController();
    const watching = this.#watchHealth(child, port, gone.signal);
    const end = await ended;
    gone.abort();
    const wasReady = await watching;
    this.#process = null;
    return { ...end, wasReady, pid };
  }

  /** Until it is gone; answers whether it was ever ready. */
  async #watchHealth(child: ChildProcess, port: number, gone: AbortSignal): Promise<boolean> {
    const { watch, log, spec } = this.#settings;
    if (child.pid !== undefined) {
      this.#become(this.#record.state, { identity: await identityOf(child.pid) });
    }
    let heard: number | null = null;
    let wasReady = false;
    const startedAt = performance.now();
    while (!gone.aborted) {
      const vitals = await probe(port);
      wasReady ||= vitals === 'ready';
      if (gone.aborted) return wasReady;
      const now = performance.now();
      if (vitals !== 'silent') heard = now;
      const state: ServiceState = vitals === 'ready' ? 'ready' : 'starting';
      if (state !== this.#record.state) this.#become(state);
      const silentFor = now - (heard ?? startedAt);
      if (silentFor > (heard === null ? watch.startMs : watch.silentMs)) {
        log.error({ service: spec.name, silent_ms: Math.round(silentFor) }, 'says nothing; killed');
        child.kill('SIGKILL');
        return wasReady;
      }
      const pause = state === 'ready' ? watch.readyEveryMs : watch.startingEveryMs;
      await sleep(pause, undefined, { signal: gone }).catch(() => undefined);
    }
    return wasReady;
  }

  #become(state: ServiceState, change: Partial<ServiceRecord> = {}): void {
    const since = state === this.#record.state ? this.#record.since : Date.now();
    this.#record = { ...this.#record, ...change, state, since };
    this.#settings.changed();
  }
}

interface Ending {
  /** `exit code 1`, `SIGKILL`, or why it could not be started. */
  readonly how: string;
  readonly exitCode: number | null;
}

function endOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ how: signal ?? `exit code ${exitCode}`, exitCode }));
    child.once('error', (error) => resolve({ how: error.message, exitCode: null }));
  });
}
