/** What a provider says went wrong, as a Failure: the code says what happens next, the message who said what. */
import { Failure, type FailureCode } from '#chassis/failures.ts';
import { processScrubber } from '#chassis/secrets.ts';
import type { ProviderName } from './capabilities.ts';

const SAID_LIMIT = 500;

export class ProviderFailure extends Failure {
  /** How long the provider asks to wait; null: it does not say. */
  readonly retryAfterMs: number | null;
  /** The provider may have worked on the call, and charge for it. */
  readonly maybePaid: boolean;

  constructor(
    code: FailureCode,
    message: string,
    more: {
      readonly retryAfterMs?: number | null;
      readonly maybePaid?: boolean;
      readonly cause?: unknown;
    } = {},
  ) {
    super(code, message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'ProviderFailure';
    this.retryAfterMs = more.retryAfterMs ?? null;
    this.maybePaid = more.maybePaid ?? false;
  }
}

/** Whether a call that failed may cost something all the same. */
export const mayHaveBeenPaid = (error: unknown): boolean =>
  error instanceof ProviderFailure
    ? error.maybePaid
    : error instanceof Failure && error.code === 'model_timeout';

/** Who was asked; `key` is what must never be in a message. */
export interface Asked {
  readonly provider: ProviderName;
  readonly model: string;
  readonly key: string;
}

export interface Refusal {
  /** 0 when the refusal came inside a stream that had begun well. */
  readonly status: number;
  readonly requestId: string | null;
  /** The provider's own words. */
  readonly said: string;
  /** The provider's own code or type, '' if none. */
  readonly code: string;
  readonly headers: Headers | null;
}

const TOO_LONG =
  /prompt is too long|context[_ ]length|context window|context limit|maximum context|exceeds? the (available )?context/i;
const NO_CREDIT = /credit balance|insufficient_quota|exceeded your current quota|billing_error/i;
const NO_TOOLS = /does not support tools/i;

/** The failure of an answer with an error status, or of an error inside a stream. */
export function refusal(asked: Asked, found: Refusal): ProviderFailure {
  const where = found.status === 0 ? 'error in the stream' : `HTTP ${found.status}`;
  const id = found.requestId === null ? '' : `, request ${found.requestId}`;
  return new ProviderFailure(
    codeOf(found),
    `${asked.provider}/${asked.model}: ${where}${id}: ${clean(found.said, asked.key)}`,
    {
      retryAfterMs: found.headers === null ? null : retryAfterMs(found.headers, Date.now()),
      // An error inside a stream comes after the answer has begun.
      maybePaid: found.status === 0,
    },
  );
}

function codeOf({ status, said, code }: Refusal): FailureCode {
  const words = `${code} ${said}`;
  if (status === 402 || ((status === 400 || status === 429) && NO_CREDIT.test(words))) return 'key_refused';
  if (status === 429 || code === 'rate_limit_error' || code === 'rate_limit_exceeded') return 'rate_limited';
  if (status === 529 || status === 503 || code === 'overloaded_error') return 'model_overloaded';
  if (status === 401 || status === 403) return 'key_refused';
  if (status === 404 || (status === 400 && code === 'model_not_found')) return 'model_unknown';
  if (status === 408 || code === 'timeout_error') return 'model_timeout';
  if (status === 413) return 'context_too_long';
  if (status >= 400 && status < 500) {
    if (TOO_LONG.test(words)) return 'context_too_long';
    return NO_TOOLS.test(words) ? 'model_incapable' : 'request_refused';
  }
  return 'model_failed';
}

/** Nobody answered: refused, reset, no such host. */
export function unreachable(asked: Asked, error: unknown): ProviderFailure {
  const why = clean(causes(error), asked.key);
  return new ProviderFailure(
    'model_failed',
    `${asked.provider}/${asked.model}: not reached: ${why}`,
    // A connection that was never made carried no request.
    { cause: error, maybePaid: !/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/.test(why) },
  );
}

export function timedOut(asked: Asked): ProviderFailure {
  const message = `${asked.provider}/${asked.model}: no answer in time`;
  return new ProviderFailure('model_timeout', message, { maybePaid: true });
}

/** The answer began and did not end as it should. */
export function broken(asked: Asked, error: unknown): ProviderFailure {
  const why = clean(typeof error === 'string' ? error : causes(error), asked.key);
  return new ProviderFailure(
    'stream_broken',
    `${asked.provider}/${asked.model}: the answer broke off: ${why}`,
    { cause: error, maybePaid: true },
  );
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date, in milliseconds from now; null if there is neither. */
export function retryAfterMs(headers: Headers, now: number): number | null {
  const exact = Number.parseFloat(headers.get('retry-after-ms') ?? '');
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const text = headers.get('retry-after');
  if (text === null || text.trim() === '') return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1000 : null;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** The error and what caused it, in a line: fetch says "fetch failed", its cause says why. */
function causes(error: unknown): string {
  const said: string[] = [];
  let each = error;
  while (each instanceof Error && said.length < 4) {
    const code = 'code' in each && typeof each.code === 'string' ? each.code : '';
    const line = each.message.includes(code) ? each.message : `${each.message} (${code})`;
    if (line.trim() !== '' && !said.includes(line)) said.push(line);
    each = each instanceof AggregateError ? each.errors[0] : each.cause;
  }
  return said.length > 0 ? said.join(': ') : String(error);
}

function clean(text: string, key: string): string {
  const known = key === '' ? text : text.replaceAll(key, '[secret]');
  return processScrubber().text(known).replaceAll(/\s+/g, ' ').trim().slice(0, SAID_LIMIT);
}
