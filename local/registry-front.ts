/**
 * Puts the registry at the root of its URL, as Redpanda's is: Apicurio has Confluent's API below a path, and rpk takes
 * no path. Runs as a process of its own: `node registry-front.ts PORT UPSTREAM`.
 */
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';

/** Longer than any answer takes; a registry that hangs must not hold its clients forever. */
const upstreamTimeout = 30_000;

/** Headers that belong to one connection and are never passed on. */
const ofTheConnection = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** A server that passes everything on to `upstream`, whose path goes before the path asked for. */
export function registryFront(upstream: URL): Server {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const server = createServer((asked, answer) => forward(upstream, agent, asked, answer));
  server.on('close', () => agent.destroy());
  return server;
}

function forward(upstream: URL, agent: Agent, asked: IncomingMessage, answer: ServerResponse): void {
  const passed = request({
    agent,
    host: upstream.hostname,
    port: upstream.port,
    method: asked.method,
    path: upstream.pathname.replace(/\/$/, '') + (asked.url ?? '/'),
    headers: { ...withoutConnection(asked), host: upstream.host },
    timeout: upstreamTimeout,
  });
  passed.on('response', (got) => {
    answer.writeHead(got.statusCode ?? 502, withoutConnection(got));
    got.pipe(answer);
    got.on('error', () => answer.destroy());
  });
  passed.on('timeout', () => passed.destroy(new Error('no answer in time')));
  passed.on('error', (error) => {
    if (answer.headersSent) return void answer.destroy();
    // In the words of Confluent's API, so that clients show them.
    answer.writeHead(502, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
    answer.end(
      JSON.stringify({ error_code: 50_002, message: `the registry does not answer: ${error.message}` }),
    );
  });
  answer.on('close', () => passed.destroy());
  asked.pipe(passed);
}

function withoutConnection(message: IncomingMessage): IncomingMessage['headers'] {
  const headers = { ...message.headers };
  for (const name of ofTheConnection) delete headers[name];
  return headers;
}

if (import.meta.main) {
  const [port = '', upstream = ''] = process.argv.slice(2);
  const server = registryFront(new URL(upstream));
  server.listen({ host: '127.0.0.1', port: Number(port) });
  process.once('SIGTERM', () => {
    server.close();
    server.closeAllConnections();
  });
}
