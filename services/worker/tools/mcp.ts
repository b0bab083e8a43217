/** Tools of MCP servers, under the same policy, journal and limits as our own. */

import { hash } from 'node:crypto';
import { McpError } from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { unlessAborted } from '#chassis/deadline.ts';
import { asFailure, Failure } from '#chassis/failures.ts';
import type { McpServer } from '#roles/mcp-front-matter.ts';
import {
  type ListedTool,
  McpConnection,
  type McpLimits,
  type McpSurroundings,
  mcpLimits,
} from './mcp-connection.ts';
import { checkable, effectOf, schemaOf } from './mcp-naming.ts';
import { mcpResult } from './mcp-result.ts';
import { defineJsonTool, type Tool, type ToolContext, type ToolResult } from './tool.ts';

/** Of all servers of a role: more than models take. */
const MOST_TOOLS = 128;

export interface Mcp {
  /**
   * The tools that the servers have now, sorted by name; asked for once for each attempt. Throws `temporary_failure`
   * when a server cannot be reached or answers garbage, `mcp_failed` when what it lists cannot be used, or the reason
   * of the signal.
   */
  tools(signal: AbortSignal): Promise<readonly Tool[]>;
  /** Ends all connections and the processes behind them. */
  close(): Promise<void>;
}

/** Connects to nothing yet. `signal` aborted: as `close`. */
export function openMcp(
  servers: readonly McpServer[],
  around: McpSurroundings & { readonly signal: AbortSignal },
  limits: McpLimits = mcpLimits,
): Mcp {
  const sources = servers.map((server) => new Source(new McpConnection(server, around, limits), around));
  const close = async () => {
    around.signal.removeEventListener('abort', closeAll);
    await Promise.all(sources.map((source) => source.connection.close()));
  };
  const closeAll = () => void close();
  around.signal.addEventListener('abort', closeAll, { once: true });
  return {
    close,
    async tools(signal) {
      const found = (await Promise.all(sources.map((source) => source.tools(signal)))).flat();
      found.sort((a, b) => (a.schema.name < b.schema.name ? -1 : 1));
      for (const [index, { schema }] of found.entries()) {
        if (found[index + 1]?.schema.name === schema.name)
          throw new Failure(
            'mcp_failed',
            `two tools would have the name ${schema.name}; expected one of each name`,
          );
      }
      if (found.length > MOST_TOOLS) {
        const names = servers.map(({ name }) => name).join(', ');
        throw new Failure(
          'mcp_failed',
          `found ${found.length} tools of the MCP servers ${names}, expected at most ${MOST_TOOLS}: name those that ` +
            'the role needs in `tools` of the server',
        );
      }
      return found;
    },
  };
}

/** A server's tools, made anew only when what it lists has changed. */
class Source {
  readonly connection: McpConnection;
  readonly #around: McpSurroundings;
  #listing: Promise<readonly Tool[]> | null = null;
  #made: { readonly hash: string; readonly tools: readonly Tool[] } | null = null;

  constructor(connection: McpConnection, around: McpSurroundings) {
    this.connection = connection;
    this.#around = around;
  }

  /** Who asks at the same time is answered together. */
  async tools(signal: AbortSignal): Promise<readonly Tool[]> {
    if (this.#listing === null) {
      // No single asker's signal: others wait for the same list. Every step of it has a deadline.
      this.#listing = this.#list(new AbortController().signal).finally(() => {
        this.#listing = null;
      });
      this.#listing.catch(() => {});
    }
    try {
      return await unlessAborted(this.#listing, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      // The task cannot begin without its tools, and another attempt may find the server well.
      const { message } = asFailure(error, 'mcp_failed');
      throw new Failure('temporary_failure', message, { cause: error });
    }
  }

  async #list(signal: AbortSignal): Promise<readonly Tool[]> {
    const { server } = this.connection;
    const listed = await this.connection.list(signal);
    const wanted =
      server.tools === undefined ? listed : listed.filter(({ name }) => server.tools?.includes(name));
    const found = hash('sha256', JSON.stringify(wanted));
    if (this.#made?.hash === found) return this.#made.tools;
    if (this.#made !== null)
      this.#around.log.warn(
        { server: server.name, from: this.#made.hash, to: found },
        'MCP server lists other tools',
      );
    for (const name of server.tools ?? []) {
      if (!listed.some((tool) => tool.name === name))
        this.#around.log.warn(
          { server: server.name, tool: name },
          'MCP server does not have a tool of the role',
        );
    }
    const tools = wanted.flatMap((tool) => this.#make(tool) ?? []);
    this.#made = { hash: found, tools };
    return tools;
  }

  /** Null for a tool that cannot be used; the others can. */
  #make(listed: ListedTool): Tool | null {
    const { server } = this.connection;
    const refuse = (why: string) => {
      this.#around.log.warn(
        { server: server.name, tool: listed.name.slice(0, 200), why },
        'MCP tool left out',
      );
      return null;
    };
    if (listed.execution?.taskSupport === 'required')
      return refuse('it is only to be had as a task of the server');
    const schema = schemaOf(server, listed);
    if (schema === null) return refuse('the schema of its arguments is too large');
    try {
      const validate = new AjvJsonSchemaValidator().getValidator(checkable(listed.inputSchema) as object);
      return defineJsonTool({
        schema,
        problems: (args) => validate(args).errorMessage ?? null,
        effect: effectOf(server, listed),
        run: (args, context) => call(this.connection, listed.name, args, context),
      });
    } catch (error) {
      return refuse(`the schema of its arguments is not valid: ${String(error).slice(0, 300)}`);
    }
  }
}

async function call(
  connection: McpConnection,
  tool: string,
  args: Readonly<Record<string, unknown>>,
  context: ToolContext,
): Promise<ToolResult> {
  const { name } = connection.server;
  try {
    return await mcpResult(name, await connection.call(tool, args, context), context);
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    // A refusal by the server itself, as of a tool that it no longer has.
    if (error instanceof McpError)
      throw new Failure('tool_failed', `${name}: ${error.message.slice(0, 600)}`);
    throw error;
  }
}
