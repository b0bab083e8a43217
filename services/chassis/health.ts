import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { registry } from './metrics.ts';

/** What a process says of itself. */
export interface Vitals {
  /** False once it can no longer do its work and should be started again. */
  live(): boolean;
  /** True while it has joined its groups and holds no partition that is still being acquired. */
  ready(): boolean;
  /** Why it is not ready; empty: it is about to be. */
  reason(): string;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves /health (live), /ready and /metrics. */
export async function startHealthServer(to: {
  readonly host: string;
  readonly port: number;
  readonly vitals: Vitals;
}): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const answer = (ok: boolean, why = '') =>
      response.writeHead(ok ? 200 : 503).end(ok ? 'ok\n' : why === '' ? 'no\n' : `no: ${why}\n`);
    switch (request.url) {
      case '/health':
        answer(to.vitals.live());
        break;
      case '/ready':
        answer(to.vitals.live() && to.vitals.ready(), to.vitals.reason());
        break;
      case '/metrics':
        registry.metrics().then(
          (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
          () => response.writeHead(500).end(),
        );
        break;
      default:
        response.writeHead(404).end('not found; try /health, /ready or /metrics\n');
    }
  });
  server.requestTimeout = 5000;
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(to.port, to.host, done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
