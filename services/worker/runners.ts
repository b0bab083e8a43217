/** The tasks that this worker runs: renews their leases, stops them when they must stop, reports how they ended. */

import { setTimeout as sleep } from 'node:timers/promises';
import { unlessAborted } from '#chassis/deadline.ts';
import { Failure } from '#chassis/failures.ts';
import { stopPoint } from '#chassis/stop-point.ts';
import { instant, Lease, lostAt } from './lease.ts';
import { reportEvent } from './report.ts';
import { type Claim, claimKey, encodeReport, runTask, Stopped, type WorkerParts } from './run-task.ts';
import { traceTask } from './spans.ts';

/** How often leases are looked at; the shortest lease is 1 s. */
const TICK_MS = 100;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Run {
  readonly claim: Claim;
  readonly lease: Lease;
  /** Ends the work. */
  readonly work: AbortController;
  /** Ends everything, the sending of the report too. */
  readonly hold: AbortController;
  renewing: boolean;
  renewals: number;
  done: Promise<void>;
}

export class Runners {
  readonly #parts: WorkerParts;
  readonly #ended: () => void;
  readonly #runs = new Map<string, Run>();
  #ticker: NodeJS.Timeout | null = null;
  #draining = false;

  /** `ended` is called whenever there is room for one more. */
  constructor(parts: WorkerParts, ended: () => void = () => {}) {
    this.#parts = parts;
    this.#ended = ended;
  }

  get size(): number {
    return this.#runs.size;
  }

  /**
   * Starts a claimed task. A newer lease of a task that still runs here ends the older one first. False: not started,
   * because this lease or a newer one runs already, or the worker is draining.
   */
  start(claim: Claim): boolean {
    if (this.#draining) return false;
    const key = claimKey(claim);
    const older = this.#runs.get(key);
    if (older && !isNewer(claim, older.claim)) return false;
    older?.work.abort(new Stopped('superseded'));
    older?.hold.abort(new Stopped('superseded'));

    const run: Run = {
      claim,
      lease: new Lease(claim.assignment.payload.lease_ms, claim.claimedAt, this.#parts.clock),
      work: new AbortController(),
      hold: new AbortController(),
      renewing: false,
      renewals: 0,
      done: Promise.resolve(),
    };
    this.#runs.set(key, run);
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
    run.done = this.#run(run, older?.done).finally(() => {
      if (this.#runs.get(key) === run) this.#runs.delete(key);
      if (this.#runs.size === 0) this.#stopTicker();
      this.#ended();
    });
    return true;
  }

  /** Stops an attempt without a report. False: it does not run here. */
  cancel(missionId: string, taskId: string, attempt: number): boolean {
    const run = this.#runs.get(`${missionId}/${taskId}`);
    if (run?.claim.assignment.payload.attempt !== attempt) return false;
    run.work.abort(new Stopped('cancelled'));
    run.hold.abort(new Stopped('cancelled'));
    return true;
  }

  /**
   * Takes nothing more, waits for what runs, at most `deadlineMs`, then stops the rest and gives their leases back,
   * for which it takes at most `releaseMs` more.
   */
  async drain(deadlineMs: number, releaseMs = 5_000): Promise<void> {
    this.#draining = true;
    await this.#allDone(deadlineMs);
    for (const run of this.#runs.values()) run.work.abort(new Stopped('drained'));
    await this.#allDone(releaseMs);
    for (const run of this.#runs.values()) run.hold.abort(new Stopped('drained'));
    await Promise.all([...this.#runs.values()].map((run) => run.done));
    this.#stopTicker();
  }

  async #allDone(deadlineMs: number): Promise<void> {
    const waiting = new AbortController();
    const all = Promise.all([...this.#runs.values()].map((run) => run.done));
    await Promise.race([all, sleep(deadlineMs, undefined, { signal: waiting.signal }).catch(() => {})]);
    waiting.abort();
  }

  /** Never rejects. */
  async #run(run: Run, older: Promise<void> | undefined): Promise<void> {
    // Two leases of one task share a workspace: the older one must have let go of it.
    if (older) await older;
    const { timeout_ms } = run.claim.assignment.payload;
    const passed = this.#parts.clock.monotonic() - run.claim.claimedAt.monotonic;
    const late = () =>
      run.work.abort(new Failure('timeout', `the attempt took longer than its timeout of ${timeout_ms} ms`));
    const timer = setTimeout(late, Math.min(Math.max(0, timeout_ms - passed), LONGEST_TIMER_MS));
    try {
      const control = { lease: run.lease, signal: run.work.signal };
      const traced = { ...run.claim, agent: this.#parts.agent };
      const report = await traceTask(traced, () => runTask(run.claim, this.#parts, control));
      clearTimeout(timer);
      if (report !== null) await this.#publish(run, encodeReport(run.claim, report, this.#parts));
    } catch (error) {
      this.#parts.log.error({ ...named(run.claim), err: error }, 'the end of a task could not be reported');
    } finally {
      clearTimeout(timer);
    }
  }

  /** Until it is acknowledged or the task is no longer ours to report. A repeat is recognised by its event id. */
  async #publish(run: Run, value: Buffer): Promise<void> {
    const { correlation_id } = run.claim.assignment;
    const { traceparent } = run.claim;
    const record = {
      key: correlation_id,
      value,
      ...(traceparent === null ? {} : { headers: { traceparent } }),
    };
    for (let pause = 100; !run.hold.signal.aborted && !run.lease.lost; pause = Math.min(pause * 2, 2_000)) {
      try {
        await unlessAborted(
          this.#parts.publisher.send(this.#parts.topics.reports, [record]),
          run.hold.signal,
        );
        stopPoint('report-sent');
        return;
      } catch (error) {
        if (run.hold.signal.aborted) break;
        this.#parts.log.warn(
          { ...named(run.claim), error: String(error), retry_in_ms: pause },
          'a report was not taken',
        );
        await sleep(pause, undefined, { signal: run.hold.signal }).catch(() => {});
      }
    }
    this.#parts.log.warn(
      named(run.claim),
      'the end of a task was not acknowledged: its next owner reports it',
    );
  }

  /** Renews what is due, all in one send, and lets go of what is too old to be ours. */
  #tick(): void {
    const due: Run[] = [];
    for (const run of this.#runs.values()) {
      if (run.lease.lost) {
        const lost = lostAt(run.lease.age, run.claim.assignment.payload.lease_ms);
        run.work.abort(lost);
        run.hold.abort(lost);
      } else if (run.lease.due && !run.renewing && !run.hold.signal.aborted) {
        due.push(run);
      }
    }
    if (due.length > 0) void this.#renew(due);
  }

  async #renew(runs: readonly Run[]): Promise<void> {
    const { codec, publisher, topics, agent, clock, log } = this.#parts;
    const sent = instant(clock);
    const records = runs.map((run) => {
      run.renewing = true;
      run.renewals++;
      const heartbeat = { event_type: 'task_heartbeat', payload: {} } as const;
      const event = reportEvent(run.claim.assignment, agent, heartbeat, sent.wall, `/${run.renewals}`);
      return { key: event.correlation_id, value: codec.encode(event) };
    });
    try {
      await publisher.send(topics.reports, records);
      for (const run of runs) run.lease.renewed(sent);
    } catch (error) {
      log.warn({ tasks: runs.length, error: String(error) }, 'leases could not be renewed; tried again');
    } finally {
      for (const run of runs) run.renewing = false;
    }
  }

  #stopTicker(): void {
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#ticker = null;
  }
}

function isNewer(claim: Claim, than: Claim): boolean {
  const a = claim.assignment.payload;
  const b = than.assignment.payload;
  return a.attempt > b.attempt || (a.attempt === b.attempt && a.lease > b.lease);
}

const named = ({ assignment: { correlation_id, payload } }: Claim) => ({
  mission: correlation_id,
  task: payload.task_id,
  attempt: payload.attempt,
  lease: payload.lease,
});
