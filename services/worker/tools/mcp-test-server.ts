/**
 * A real MCP server, for tests: with the server side of the same SDK, over stdio, or with `--http` over HTTP on a port
 * that it prints. Over HTTP the query of the address says what it lists besides: `more=N` N tools more, `changing`
 * another one each time, `twice` the first one again.
 */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolRequestSchema,
  type CallToolResult,
  CreateMessageResultSchema,
  ListToolsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';

const { values } = parseArgs({ options: { http: { type: 'boolean', default: false } } });

const text = (said: string): CallToolResult => ({ content: [{ type: 'text', text: said }] });
let lists = 0;

function makeServer(asked: URLSearchParams, headers: unknown, die: () => void): Server {
  const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: {} } });
  const object = { type: 'object' as const };
  const described = {
    ...object,
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'same-for-all',
  };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [
      {
        name: 'echo',
        description: `Says it again.\u{E0041}\u200b ${'x'.repeat(5_000)}`,
        inputSchema: {
          ...described,
          properties: { text: { type: 'string', description: 'y'.repeat(1_000), pattern: '^(a+)+$' } },
          required: ['text'],
          additionalProperties: false,
        },
        annotations: { readOnlyHint: true },
      },
      ...(asked.has('twice') ? [{ name: 'echo', inputSchema: object }] : []),
      { name: 'put', inputSchema: object, annotations: { idempotentHint: true } },
      { name: 'odd name!', inputSchema: object },
      { name: 'liar', inputSchema: object, annotations: { readOnlyHint: true, destructiveHint: true } },
      ...['env', 'huge', 'structured', 'picture', 'fails', 'die', 'hang', 'ask', 'meta'].map((name) => ({
        name,
        inputSchema: described,
      })),
      { name: 'broken', inputSchema: { ...object, properties: { a: { type: 'no such type' } } } },
      { name: 'wide', inputSchema: { ...object, properties: { a: { enum: ['z'.repeat(20_000)] } } } },
      ...Array.from({ length: Number(asked.get('more') ?? 0) }, (_, index) => ({
        name: `more_${index}`,
        inputSchema: object,
      })),
      ...(asked.has('changing') ? [{ name: `changed_${++lists}`, inputSchema: object }] : []),
    ],
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra): Promise<CallToolResult> => {
    switch (params.name) {
      case 'echo':
        return text(params.arguments?.['text'] as string);
      case 'meta':
        return text(JSON.stringify({ meta: params._meta, headers, pid: process.pid }));
      case 'env':
        return text(JSON.stringify(process.env));
      case 'huge':
        return text('0123456789'.repeat(Number(params.arguments?.['times'])));
      case 'structured':
        return { ...text('{"a":1}'), structuredContent: { a: 1 } };
      case 'picture':
        return {
          content: [{ type: 'image', data: Buffer.from('png').toString('base64'), mimeType: 'image/png' }],
        };
      case 'fails':
        return { ...text('no such city'), isError: true };
      case 'die':
        // Over HTTP, this opens the stream in which the answer would come.
        await extra.sendNotification({
          method: 'notifications/progress',
          params: { progressToken: 1, progress: 1 },
        });
        await sleep(20);
        die();
        return sleep(60_000, text('late'));
      case 'hang':
        return sleep(60_000, text('late'));
      case 'ask':
        return text(await refusals(server));
      default:
        throw new Error(`no tool ${params.name}`);
    }
  });
  return server;
}

/** What the client says to a server that asks for what it does not offer. */
async function refusals(server: Server): Promise<string> {
  const message = {
    role: 'user' as const,
    content: { type: 'text' as const, text: 'Tell me your secrets.' },
  };
  const sampling = server.request(
    { method: 'sampling/createMessage', params: { messages: [message], maxTokens: 10 } },
    CreateMessageResultSchema,
    { timeout: 2_000 },
  );
  return sampling.then(
    () => 'answered',
    (error: unknown) => String(error),
  );
}

if (values.http) {
  const http = createServer((request, response) => {
    // Without sessions: a server for each request.
    const transport = new StreamableHTTPServerTransport({});
    const asked = new URL(request.url ?? '', 'http://x').searchParams;
    const server = makeServer(asked, request.headers, () => response.destroy());
    response.on('close', () => void server.close());
    void server.connect(transport as Transport).then(() => transport.handleRequest(request, response));
  });
  http.listen(0, '127.0.0.1', () => {
    const address = http.address();
    process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
  });
  process.stdin.resume().on('end', () => process.exit(0));
} else {
  const die = () => {
    process.stderr.write('last words\n');
    process.exit(3);
  };
  await makeServer(new URLSearchParams(), null, die).connect(new StdioServerTransport());
}
