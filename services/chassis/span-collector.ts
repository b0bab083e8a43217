/** An OTLP/HTTP collector for tests: a real server, which keeps the spans that the real exporter sends it as JSON. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { z } from 'zod';

type Value = string | number | boolean | Value[];

const AnyValue: z.ZodType<Value> = z.lazy(() =>
  z.union([
    z.strictObject({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
    z.strictObject({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
    z.strictObject({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
    z.strictObject({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
    z
      .strictObject({ arrayValue: z.object({ values: z.array(AnyValue) }) })
      .transform(({ arrayValue }) => arrayValue.values),
  ]),
);
const Attributes = z
  .array(z.object({ key: z.string(), value: AnyValue }))
  .transform((all) => Object.fromEntries(all.map(({ key, value }) => [key, value])));
const id = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const nanos = z.string().transform(BigInt);

const Sent = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: id(32),
              spanId: id(16),
              parentSpanId: id(16).optional(),
              name: z.string(),
              kind: z.int(),
              startTimeUnixNano: nanos,
              endTimeUnixNano: nanos,
              attributes: Attributes,
              status: z.object({ code: z.int(), message: z.string().optional() }),
              links: z.array(z.object({ traceId: id(32), spanId: id(16) })),
            }),
          ),
        }),
      ),
    }),
  ),
});
type Resource = z.output<typeof Sent>['resourceSpans'][number];
export type ReceivedSpan = Resource['scopeSpans'][number]['spans'][number] & {
  readonly resource: Readonly<Record<string, Value>>;
};

export interface Collector {
  /** http://127.0.0.1:… */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[];
  /** All that was received, as it was sent. */
  readonly text: () => string;
  /** The one span of this name; throws when there are none or several. */
  one(name: string): ReceivedSpan;
}

/** `answers` false: it takes what is sent and never answers. */
export async function startCollector(t: TestContext, { answers = true } = {}): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests.push({ path: request.url ?? '', headers: request.headers });
      if (!answers) return;
      const body = Buffer.concat(chunks).toString();
      const sent = Sent.safeParse(JSON.parse(body));
      if (!sent.success) {
        response.writeHead(400).end(z.prettifyError(sent.error));
        return;
      }
      bodies.push(body);
      for (const { resource, scopeSpans } of sent.data.resourceSpans) {
        const of = { resource: resource.attributes };
        spans.push(...scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, ...of }))));
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    requests,
    text: () => bodies.join('\n'),
    one(name) {
      const found = spans.filter((span) => span.name === name);
      const [span] = found;
      if (span !== undefined && found.length === 1) return span;
      throw new Error(`found ${found.length} spans ${name} among ${spans.map((each) => each.name)}`);
    },
  };
}
