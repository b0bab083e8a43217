import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { McpHttpServer } from '#roles/mcp-front-matter.ts';
import { MESSAGE_LIMIT, missing } from './mcp-stdio.ts';

/**
 * An MCP server behind streamable HTTP. Answers are bounded in bytes and time, redirects stay within the origin, and
 * the stream on which a server may speak unasked is not opened: there is nothing that it could ask for. Throws
 * `mcp_failed` naming a variable that the role lists and that is not set.
 */
export function mcpHttp(
  server: McpHttpServer,
  env: NodeJS.ProcessEnv,
  longestMs: number,
): StreamableHTTPClientTransport {
  const headers: Record<string, string> = {};
  for (const [header, variable] of Object.entries(server.headers_from_env)) {
    const value = env[variable];
    if (value === undefined) throw missing(server.name, variable);
    headers[header] = value;
  }
  return new StreamableHTTPClientTransport(new URL(server.url), {
    requestInit: { headers },
    fetch: boundedFetch(longestMs),
    reconnectionOptions: {
      initialReconnectionDelay: 100,
      maxReconnectionDelay: 100,
      reconnectionDelayGrowFactor: 1,
      maxRetries: 0,
    },
  });
}

function boundedFetch(longestMs: number): FetchLike {
  return async (url, init = {}) => {
    if ((init.method ?? 'GET') === 'GET') return new Response(null, { status: 405 });
    const late = AbortSignal.timeout(longestMs);
    const response = await fetch(url, {
      ...init,
      signal: init.signal ? AbortSignal.any([init.signal, late]) : late,
    });
    if (response.body === null) return response;
    let size = 0;
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, control) {
        size += chunk.length;
        if (size > MESSAGE_LIMIT)
          control.error(new Error(`found an answer of more than ${MESSAGE_LIMIT} bytes`));
        else control.enqueue(chunk);
      },
    });
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(counted), { status, statusText, headers });
  };
}
