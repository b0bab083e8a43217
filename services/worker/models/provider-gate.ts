/**
 * All calls of this process to one provider go through one gate. From the outside in:
 *
 * 1. The limit of calls at once. It is outermost, so that a call which waits to be tried again keeps its place: when a
 *    provider says 429 it is asked less, and not by the next in the queue at once.
 * 2. The deadline of all tries together. Inside the limit, because waiting for a place is no fault of the provider; that
 *    wait ends with the caller's signal.
 * 3. The retries, around the breaker: each try asks it anew, and a call that finds it open fails at once and is not
 *    tried again.
 * 4. The breaker, which sees every single try: it counts what the provider does, not what is left after retries.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  ConstantBackoff,
  circuitBreaker,
  ExponentialBackoff,
  handleType,
  handleWhen,
  type IBackoff,
  retry,
} from 'cockatiel';
import pLimit, { type LimitFunction } from 'p-limit';
import { unlessAborted } from '#chassis/deadline.ts';
import { Failure, type FailureCode } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import { ProviderFailure } from './provider-failure.ts';

export interface GateSettings {
  /** Calls at once. */
  readonly concurrency: number;
  /** For one call, all its tries and the waits between them. */
  readonly timeoutMs: number;
  readonly tries: number;
  /** The wait before the second try; it doubles, with jitter, up to `longestDelayMs`. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A provider that asks to wait for longer is not tried again. */
  readonly longestRetryAfterMs: number;
  /** So many failed tries in a row open the breaker. */
  readonly outagesToOpen: number;
  readonly openMs: number;
}

export const gateDefaults = {
  concurrency: 8,
  timeoutMs: 300_000,
  tries: 4,
  firstDelayMs: 500,
  longestDelayMs: 20_000,
  longestRetryAfterMs: 60_000,
  outagesToOpen: 5,
  openMs: 30_000,
} as const satisfies GateSettings;

/**
 * What is tried again here. Of the first three nothing was answered, so nothing was paid for. A connection that was
 * reset and a stream that broke may have cost the tokens up to there, which no provider tells: they are tried again all
 * the same, since a whole attempt of the task, its next try, would cost more. Not a timeout: it has used up its time.
 */
const triedAgain: readonly FailureCode[] = [
  'rate_limited',
  'model_overloaded',
  'model_failed',
  'stream_broken',
];

/** What says that the provider is out. Not `rate_limited`: that one is well, and busy. */
const outages: readonly FailureCode[] = [
  'model_overloaded',
  'model_failed',
  'stream_broken',
  'model_timeout',
];

const codeIn = (error: unknown, codes: readonly FailureCode[]): boolean =>
  error instanceof Failure && codes.includes(error.code);

/** A failed try after which another is made. */
class Again extends Error {}

export class ProviderGate {
  readonly #provider: string;
  readonly #settings: GateSettings;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #limit: LimitFunction;
  readonly #breaker: CircuitBreakerPolicy;
  /** Epoch ms. */
  #openUntil = 0;

  constructor(provider: string, settings: GateSettings, log: Pick<Logger, 'warn'>) {
    this.#provider = provider;
    this.#settings = settings;
    this.#log = log;
    this.#limit = pLimit(settings.concurrency);
    this.#breaker = circuitBreaker(
      handleWhen((error) => codeIn(error, outages)),
      { breaker: new ConsecutiveBreaker(settings.outagesToOpen), halfOpenAfter: settings.openMs },
    );
    this.#breaker.onBreak(() => {
      this.#openUntil = Date.now() + settings.openMs;
      log.warn({ provider, open_ms: settings.openMs }, 'circuit breaker open: the provider is not called');
    });
    this.#breaker.onReset(() => log.warn({ provider }, 'circuit breaker closed: the provider answers again'));
  }

  /** Calls that have a place. */
  get running(): number {
    return this.#limit.activeCount;
  }

  /** Calls that wait for one. */
  get waiting(): number {
    return this.#limit.pendingCount;
  }

  get open(): boolean {
    return this.#breaker.state === CircuitState.Open;
  }

  /**
   * Makes a call, a few times if need be. `call` has to end with its signal, and throw its reason then. Throws a Failure,
   * or the reason of `signal` when it is aborted.
   */
  async run<T>(
    who: string,
    call: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    mayTryAgain: (error: unknown) => boolean = () => true,
  ): Promise<T> {
    signal.throwIfAborted();
    // A caller that gives up does not wait for its place; when it comes, the place is given back at once.
    return unlessAborted(
      this.#limit(async () => {
        signal.throwIfAborted();
        return this.#withDeadline(who, call, signal, mayTryAgain);
      }),
      signal,
    );
  }

  async #withDeadline<T>(
    who: string,
    call: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    mayTryAgain: (error: unknown) => boolean,
  ): Promise<T> {
    const { timeoutMs } = this.#settings;
    const deadline = new AbortController();
    const timer = setTimeout(() => {
      deadline.abort(new Failure('model_timeout', `${who}: no answer in ${timeoutMs} ms`));
    }, timeoutMs);
    try {
      const endsAt = performance.now() + timeoutMs;
      const either = AbortSignal.any([signal, deadline.signal]);
      return await this.#withRetries(who, call, either, { endsAt, mayTryAgain });
    } finally {
      clearTimeout(timer);
    }
  }

  async #withRetries<T>(
    who: string,
    call: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    until: { readonly endsAt: number; readonly mayTryAgain: (error: unknown) => boolean },
  ): Promise<T> {
    const { tries, firstDelayMs, longestDelayMs } = this.#settings;
    // The waits are made here and not by the policy: its own cannot be aborted.
    const policy = retry(handleType(Again), { maxAttempts: tries - 1, backoff: new ConstantBackoff(0) });
    const delays = new ExponentialBackoff({
      initialDelay: Math.max(1, firstDelayMs),
      maxDelay: longestDelayMs,
    });
    let delay: IBackoff<unknown> = delays.next();
    let pause = 0;
    try {
      return await policy.execute(async ({ attempt }) => {
        // It may have been aborted between two tries, when nobody listened.
        signal.throwIfAborted();
        if (pause > 0) await unlessAborted(sleep(pause, undefined, { signal }), signal);
        try {
          return await this.#throughBreaker(call, signal);
        } catch (error) {
          signal.throwIfAborted();
          const wait = this.#waitAfter(error, delay.duration, until.endsAt);
          if (wait === null || attempt >= tries - 1 || !until.mayTryAgain(error)) throw error;
          pause = wait;
          delay = delay.next(undefined);
          const { code, message } = error as Failure;
          this.#log.warn(
            { code, message, wait_ms: Math.round(wait), try: attempt + 1 },
            `${who} is tried again`,
          );
          throw new Again(message, { cause: error });
        }
      });
    } catch (error) {
      throw error instanceof Again ? error.cause : error;
    }
  }

  /** How long to wait before the next try; null: there is none. */
  #waitAfter(error: unknown, delayMs: number, endsAt: number): number | null {
    if (!(error instanceof ProviderFailure) || !codeIn(error, triedAgain)) return null;
    const { retryAfterMs } = error;
    if (retryAfterMs !== null && retryAfterMs > this.#settings.longestRetryAfterMs) return null;
    const wait = Math.max(retryAfterMs ?? 0, delayMs);
    return performance.now() + wait < endsAt ? wait : null;
  }

  async #throughBreaker<T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await this.#breaker.execute(() => call(signal), signal);
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      const seconds = Math.max(1, Math.ceil((this.#openUntil - Date.now()) / 1000));
      throw new Failure(
        'model_failed',
        `${this.#provider}: not called, because its last ${this.#settings.outagesToOpen} calls failed; ` +
          `it is tried again in ${seconds} s`,
        { cause: this.#lastOutage() },
      );
    }
  }

  #lastOutage(): unknown {
    const last = this.#breaker.lastFailure;
    return last !== undefined && 'error' in last ? last.error : undefined;
  }
}
