/** One connection to one MCP server: opened when it is first needed, kept, and opened again after it broke. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  type CallToolResult,
  CallToolResultSchema,
  ErrorCode,
  type Tool as ListedTool,
  ListToolsResultSchema,
  McpError,
} from '@modelcontextprotocol/sdk/types.js';
import { codeVersion } from '#chassis/code-version.ts';
import { unlessAborted, within } from '#chassis/deadline.ts';
import { Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import type { McpServer } from '#roles/mcp-front-matter.ts';
import { mcpHttp } from './mcp-http.ts';
import { McpStdio } from './mcp-stdio.ts';

export type { CallToolResult, ListedTool };

/** Limits of a connection, in milliseconds and numbers; tests make them shorter. */
export interface McpLimits {
  /** To start the server and greet it. */
  readonly openMs: number;
  /** To list all its tools. */
  readonly listMs: number;
  /** To answer a ping, after a call that took too long: whether the server as a whole is stuck. */
  readonly pingMs: number;
  /** After the first failure to open; doubled with each further one, up to 30 s. Until then nobody tries. */
  readonly pauseMs: number;
  /** Tools that are looked at in the server's list. */
  readonly mostListed: number;
}

export const mcpLimits: McpLimits = {
  openMs: 15_000,
  listMs: 15_000,
  pingMs: 2_000,
  pauseMs: 500,
  mostListed: 1_000,
};

export interface McpSurroundings {
  /** Where the variables come from that a server's entry names. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

export class McpConnection {
  readonly server: McpServer;
  readonly #around: McpSurroundings;
  readonly #limits: McpLimits;
  #open: { readonly client: Client; readonly transport: Transport } | null = null;
  #opening: Promise<Client> | null = null;
  #failures = 0;
  #failed: { readonly until: number; readonly why: Failure } | null = null;
  #stopped = false;

  constructor(server: McpServer, around: McpSurroundings, limits: McpLimits) {
    this.server = server;
    this.#around = around;
    this.#limits = limits;
  }

  /** All tools that the server lists. Throws `mcp_failed`, or the reason of the signal. */
  async list(signal: AbortSignal): Promise<ListedTool[]> {
    const { listMs, mostListed } = this.#limits;
    const until = performance.now() + listMs;
    const tools: ListedTool[] = [];
    let cursor: string | undefined;
    do {
      const left = Math.max(1, until - performance.now());
      const params = cursor === undefined ? {} : { cursor };
      const client = await this.#client(signal);
      const page = await this.#ask(client, signal, left, 'to list its tools', (options) =>
        client.request({ method: 'tools/list', params }, ListToolsResultSchema, options),
      );
      tools.push(...page.tools);
      // A page that brings nothing and names another would go on for ever.
      cursor = page.tools.length === 0 ? undefined : page.nextCursor;
      if (tools.length > mostListed)
        throw this.#failure(`lists more than ${mostListed} tools, expected at most as many`);
    } while (cursor !== undefined);
    return tools;
  }

  /** Throws `mcp_failed`, an McpError that the server answered with, or the reason of the signal. */
  async call(
    tool: string,
    args: Readonly<Record<string, unknown>>,
    options: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly idempotencyKey: string },
  ): Promise<CallToolResult> {
    const params = {
      name: tool,
      arguments: args,
      _meta: { 'ravenhelm/idempotency-key': options.idempotencyKey },
    };
    const timeoutMs = Math.min(options.timeoutMs, this.server.timeout_ms);
    const client = await this.#client(options.signal);
    try {
      return await this.#ask(client, options.signal, timeoutMs, `to a call of ${tool}`, (asked) =>
        client.request({ method: 'tools/call', params }, CallToolResultSchema, asked),
      );
    } catch (error) {
      if (!(error instanceof Failure) || options.signal.aborted) throw error;
      const message = `${error.message} (the call was sent; whether it had its effect is not known)`;
      throw new Failure('mcp_failed', message, { cause: error });
    }
  }

  /** Ends the connection for good. Whatever waits fails. */
  async close(): Promise<void> {
    this.#stopped = true;
    await this.#opening?.catch(() => {});
    const open = this.#open;
    this.#open = null;
    await open?.client.close().catch(() => {});
  }

  async #ask<T>(
    client: Client,
    signal: AbortSignal,
    timeoutMs: number,
    what: string,
    ask: (options: { signal: AbortSignal; timeout: number }) => Promise<T>,
  ): Promise<T> {
    // The SDK never lets go of a signal: it gets one of its own for each question.
    const asking = new AbortController();
    const stop = () => asking.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await ask({ signal: asking.signal, timeout: timeoutMs });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw await this.#understood(error, client, `${what} in ${Math.round(timeoutMs)} ms`);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** What an error means; a server that is stuck is ended, so that the next call finds a fresh one. */
  async #understood(error: unknown, client: Client, noAnswer: string): Promise<unknown> {
    const open = this.#open;
    if (error instanceof McpError && error.code === ErrorCode.RequestTimeout && open?.client === client) {
      const alive = await client.ping({ timeout: this.#limits.pingMs }).then(
        () => true,
        () => false,
      );
      if (!alive) {
        if (open.transport instanceof McpStdio) open.transport.kill();
        await this.#drop(open, 'does not answer');
      }
      return this.#failure(`gave no answer ${noAnswer}${alive ? '' : ', and none to a ping; it was ended'}`);
    }
    if (error instanceof McpError && error.code === ErrorCode.RequestTimeout)
      return this.#failure(`gave no answer ${noAnswer}`);
    if (error instanceof McpError && error.code !== ErrorCode.ConnectionClosed) return error;
    const why = error instanceof Error ? firstLine(error.message) : String(error);
    // An answer of the wrong shape, or none at all: a connection of which one does not know the state is not kept.
    if (open?.client === client) await this.#drop(open, why);
    return this.#failure(`broke off: ${why}`);
  }

  async #client(signal: AbortSignal): Promise<Client> {
    if (this.#stopped) throw this.#failure('was ended, because the worker stops');
    if (this.#open !== null) return this.#open.client;
    if (this.#opening === null) {
      if (this.#failed !== null && performance.now() < this.#failed.until) throw this.#failed.why;
      this.#opening = this.#connect().finally(() => {
        this.#opening = null;
      });
      // Whoever waits may have been aborted.
      this.#opening.catch(() => {});
    }
    return unlessAborted(this.#opening, signal);
  }

  async #connect(): Promise<Client> {
    const { name } = this.server;
    let transport: Transport | null = null;
    try {
      transport = this.#transport();
      // Nothing is offered: a server that asks for sampling, elicitation or roots is told that there is no such method.
      const client = new Client({ name: 'ravenhelm', version: codeVersion }, { capabilities: {} });
      const open = { client, transport };
      client.onclose = () => this.#closed(open);
      await client.connect(transport, { timeout: this.#limits.openMs, maxTotalTimeout: this.#limits.openMs });
      const told = transport.onerror;
      transport.onerror = (error) => {
        told?.(error);
        // Requests that wait for a stream that broke would wait for their deadline.
        if (this.server.kind === 'http') void this.#drop(open, firstLine(error.message));
      };
      if (this.#stopped) throw new Error('the worker stops');
      this.#open = open;
      this.#failures = 0;
      this.#failed = null;
      this.#around.log.info({ server: name, version: client.getServerVersion() }, 'MCP server connected');
      return client;
    } catch (error) {
      await within(
        2_000,
        transport?.close().catch(() => {}),
      );
      const why =
        error instanceof Failure ? error : this.#failure(`did not start: ${firstLine(messageOf(error))}`);
      const said = transport instanceof McpStdio ? transport.said : '';
      this.#around.log.warn({ server: name, error: why.message, said }, 'MCP server not connected');
      this.#failures++;
      const pause = Math.min(this.#limits.pauseMs * 2 ** (this.#failures - 1), 30_000);
      this.#failed = { until: performance.now() + pause, why };
      throw why;
    }
  }

  #transport(): Transport {
    const { server } = this;
    return server.kind === 'stdio'
      ? new McpStdio(server, this.#around.env)
      : // The SDK's own class does not fit its interface under exactOptionalPropertyTypes.
        (mcpHttp(server, this.#around.env, server.timeout_ms + this.#limits.pingMs) as Transport);
  }

  async #drop(open: { readonly client: Client; readonly transport: Transport }, why: string): Promise<void> {
    if (this.#open !== open) return;
    this.#open = null;
    const said = open.transport instanceof McpStdio ? open.transport.said : '';
    this.#around.log.warn(
      { server: this.server.name, why, said },
      'MCP server given up; opened again when needed',
    );
    await within(
      2_000,
      open.client.close().catch(() => {}),
    );
  }

  #closed(open: { readonly client: Client; readonly transport: Transport }): void {
    if (this.#open?.client !== open.client) return;
    this.#open = null;
    const said = open.transport instanceof McpStdio ? open.transport.said : '';
    this.#around.log.warn({ server: this.server.name, said }, 'MCP server ended; opened again when needed');
  }

  #failure(what: string): Failure {
    return new Failure('mcp_failed', `MCP server ${this.server.name} ${what}`);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
/** What went wrong, without what a server may have put into it at length. */
const firstLine = (text: string): string => (text.split('\n')[0] ?? '').slice(0, 300);
