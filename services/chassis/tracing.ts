/**
 * Spans for whoever runs an OpenTelemetry collector. Off, which it is unless the standard variables name an endpoint,
 * nothing of the SDK is loaded and a span costs a comparison. On, nothing that goes wrong with it reaches the work:
 * it is logged, and the work goes on.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeVersion } from './code-version.ts';
import { asFailure, Failure } from './failures.ts';
import type { Logger } from './log.ts';
import { type SpanPlace, writeTraceparent } from './traceparent.ts';
import type { Sdk, SdkSpan } from './tracing-sdk.ts';

/** A value that is undefined is left out. */
export type SpanAttributes = Record<string, string | number | boolean | string[] | undefined>;

/** `sampled` null: the parent is the root of its trace, and our own sampler says. */
export type ParentPlace = Omit<SpanPlace, 'sampled'> & { readonly sampled: boolean | null };

export interface SpanDraft {
  readonly name: string;
  readonly kind?: 'internal' | 'client' | 'consumer';
  readonly attributes: SpanAttributes;
  /** Left out: the span that this code runs in. Null: none. */
  readonly parent?: ParentPlace | null;
  /** Left out: random. The trace id counts only without a parent. */
  readonly ids?: { readonly traceId: string; readonly spanId: string };
  readonly links?: readonly SpanPlace[];
  /** Epoch ms; left out: now. */
  readonly startedAt?: number;
}

/** A span that is open. Nothing that is done to it throws. */
export interface OpenSpan {
  set(attributes: SpanAttributes): void;
  /** Marks it as failed with a code; never a message, which may quote a prompt. */
  fail(code: string): void;
}

export interface TracingSettings {
  /** `worker`, `orchestrator` … */
  readonly service: string;
  /** Name of this process. */
  readonly agent: string;
  /** Takes secrets out of a text, before that becomes part of a span. */
  readonly scrub: (text: string) => string;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

export interface Tracing {
  readonly on: boolean;
  /** Sends what waits, for at most so long; spans that come later go nowhere. Never throws. */
  stop(deadlineMs: number): Promise<void>;
}

interface Current {
  readonly sdk: Sdk;
  readonly scrub: (text: string) => string;
  readonly capture: boolean;
  readonly complain: (message: string) => void;
}

let current: Current | null = null;
const surroundings = new AsyncLocalStorage<SdkSpan>();
const noSpan: OpenSpan = { set: () => {}, fail: () => {} };
const complainEveryMs = 60_000;

/** Whether the standard variables ask for spans. */
export function isWanted(env: NodeJS.ProcessEnv): boolean {
  const said = (name: string) => (env[name] ?? '').trim();
  if (said('OTEL_SDK_DISABLED').toLowerCase() === 'true') return false;
  if (said('OTEL_TRACES_EXPORTER').toLowerCase() === 'none') return false;
  return said('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') !== '' || said('OTEL_EXPORTER_OTLP_ENDPOINT') !== '';
}

/** Starts tracing for this process where `process.env` asks for it. Never throws: without spans the work goes on. */
export async function startTracing(settings: TracingSettings): Promise<Tracing> {
  const off: Tracing = { on: false, stop: () => Promise.resolve() };
  if (!isWanted(process.env)) return off;
  const { service, agent, scrub, log } = settings;
  let complained = Number.NEGATIVE_INFINITY;
  const complain = (message: string) => {
    if (performance.now() - complained < complainEveryMs) return;
    complained = performance.now();
    log.warn({ reason: scrub(message).slice(0, 500) }, 'tracing: spans may be lost');
  };
  try {
    const { openSdk } = await import('./tracing-sdk.ts');
    const capture =
      process.env['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT']?.toLowerCase() === 'true';
    const resource = {
      'service.name': `ravenhelm-${service}`,
      'service.version': codeVersion,
      'service.instance.id': agent,
    };
    const mine: Current = { sdk: openSdk({ resource, large: capture, complain }), scrub, capture, complain };
    current = mine;
    log.info({ content: capture }, 'tracing is on');
    return {
      on: true,
      async stop(deadlineMs) {
        if (current === mine) current = null;
        const done = new AbortController();
        const late = sleep(deadlineMs, 'late', { signal: done.signal }).catch(() => {});
        const sent = mine.sdk.shutdown().catch((error: unknown) => complain(asFailure(error).message));
        if ((await Promise.race([sent, late])) === 'late') complain(`not all sent within ${deadlineMs} ms`);
        done.abort();
      },
    };
  } catch (error) {
    complain(asFailure(error).message);
    return off;
  }
}

export const tracingIsOn = (): boolean => current !== null;

/** Runs `work` in a span, which ends when it does; what it throws marks the span and comes through. */
export function inSpan<T>(draft: () => SpanDraft, work: (span: OpenSpan) => Promise<T>): Promise<T> {
  const tracing = current;
  return tracing === null ? work(noSpan) : traced(tracing, draft, work);
}

async function traced<T>(
  tracing: Current,
  draft: () => SpanDraft,
  work: (span: OpenSpan) => Promise<T>,
): Promise<T> {
  const guard = guardOf(tracing);
  const span = guard(() => open(tracing, draft()));
  if (span === undefined) return work(noSpan);
  const shown: OpenSpan = {
    set: (attributes) => guard(() => span.set(attributes)),
    fail: (code) => guard(() => span.fail(code)),
  };
  try {
    return await surroundings.run(span, () => work(shown));
  } catch (error) {
    shown.fail(codeOf(error));
    throw error;
  } finally {
    guard(() => span.end());
  }
}

/** A span of something that is over. `failed` is a code, '' when it went well. */
export function addSpan(
  draft: () => SpanDraft & { readonly endedAt: number; readonly failed?: string },
): void {
  const tracing = current;
  if (tracing === null) return;
  guardOf(tracing)(() => {
    const { endedAt, failed = '', ...rest } = draft();
    const span = open(tracing, rest);
    if (failed !== '') span.fail(failed);
    span.end(endedAt);
  });
}

/** The span that this code runs in, for a header; null: none. */
export function currentTraceparent(): string | null {
  const span = surroundings.getStore();
  return span === undefined ? null : writeTraceparent(span.place);
}

/** A text or a structure as JSON with secrets taken out of each text; undefined unless content was asked for. */
export function content(value: () => unknown): string | undefined {
  const tracing = current;
  if (tracing === null || !tracing.capture) return undefined;
  const clean = (_: string, each: unknown) => (typeof each === 'string' ? tracing.scrub(each) : each);
  return JSON.stringify(value(), clean);
}

function open({ sdk }: Current, draft: SpanDraft): SdkSpan {
  return sdk.startSpan(
    draft,
    draft.parent === undefined ? (surroundings.getStore()?.place ?? null) : draft.parent,
  );
}

const guardOf =
  ({ complain }: Current) =>
  <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      complain(asFailure(error).message);
      return undefined;
    }
  };

const codeOf = (error: unknown): string =>
  error instanceof Failure ? error.code : error instanceof Error ? error.name : '_OTHER';
