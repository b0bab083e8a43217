/** OpenTelemetry's SDK behind four functions. Only `tracing.ts` imports this, and only when tracing is on. */
import {
  type Attributes,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, RandomIdGenerator } from '@opentelemetry/sdk-trace-node';
import type { SpanPlace } from './traceparent.ts';
import type { ParentPlace, SpanDraft } from './tracing.ts';

export interface SdkSettings {
  /** Of the resource; what the standard variables say counts more. */
  readonly resource: Readonly<Record<string, string>>;
  /** Spans hold whole conversations. */
  readonly large: boolean;
  /** What the SDK has to complain of. */
  readonly complain: (message: string) => void;
}

export interface SdkSpan {
  readonly place: SpanPlace;
  set(attributes: Attributes): void;
  /** Marks it as failed; `code` is a code, not a message: messages quote what people and models wrote. */
  fail(code: string): void;
  end(at?: number): void;
}

const kinds = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER } as const;

/**
 * Nothing is registered globally: clients that would trace by themselves (Anthropic's does) go on doing nothing, so
 * that a model call has one span, and that one holds what we have chosen.
 */
export function openSdk({ resource, large, complain }: SdkSettings) {
  const log = (message: string) => complain(message);
  const quiet = () => {};
  diag.setLogger(
    { error: log, warn: log, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const random = new RandomIdGenerator();
  let named: { readonly traceId: string; readonly spanId: string } | null = null;
  // Conversations wait in memory while no collector takes them: fewer of them, then.
  const queue = large && process.env['OTEL_BSP_MAX_QUEUE_SIZE'] === undefined;
  const provider = new NodeTracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes(resource))
      .merge(detectResources({ detectors: [envDetector] })),
    idGenerator: {
      generateTraceId: () => named?.traceId ?? random.generateTraceId(),
      generateSpanId: () => named?.spanId ?? random.generateSpanId(),
    },
    spanProcessors: [
      new BatchSpanProcessor(
        new OTLPTraceExporter(),
        queue ? { maxQueueSize: 256, maxExportBatchSize: 64 } : undefined,
      ),
    ],
  });
  const tracer = provider.getTracer('ravenhelm');

  const start = (draft: SpanDraft, parent: SpanContext | null): Span => {
    named = draft.ids ?? null;
    try {
      return tracer.startSpan(
        draft.name,
        {
          kind: kinds[draft.kind ?? 'internal'],
          attributes: draft.attributes,
          links: (draft.links ?? []).map((place) => ({ context: contextOf(place) })),
          ...(draft.startedAt === undefined ? {} : { startTime: draft.startedAt }),
        },
        parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent),
      );
    } finally {
      named = null;
    }
  };

  /** What our sampler says of a root, so that all services agree on a trace that none of them has a root of yet. */
  const samplesRoot = (ids: { traceId: string; spanId: string }): boolean =>
    start({ name: 'mission', ids, attributes: {}, parent: null }, null).isRecording();

  const parentOf = (parent: ParentPlace | null): SpanContext | null =>
    parent && contextOf({ ...parent, sampled: parent.sampled ?? samplesRoot(parent) });

  return {
    startSpan(draft: SpanDraft, parent: ParentPlace | null): SdkSpan {
      const span = start(draft, parentOf(parent));
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        place: { traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 },
        set: (attributes) => void span.setAttributes(attributes),
        fail(code) {
          span.setAttribute('error.type', code);
          span.setStatus({ code: SpanStatusCode.ERROR, message: code });
        },
        end: (at) => span.end(at),
      };
    },
    /** Sends what waits and lets go of the collector. */
    async shutdown(): Promise<void> {
      try {
        await provider.shutdown();
      } finally {
        diag.disable();
      }
    },
  };
}

const contextOf = ({ traceId, spanId, sampled }: SpanPlace): SpanContext => ({
  traceId,
  spanId,
  traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  isRemote: true,
});

export type Sdk = ReturnType<typeof openSdk>;
