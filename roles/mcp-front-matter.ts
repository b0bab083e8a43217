/** The `mcp` of a role's front matter: the MCP servers whose tools it gets, each as `mcp__<server>__<tool>`. */
import { z } from 'zod';

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of an environment variable');

const shared = {
  /** Without `__`, so that a rule for `mcp__git__*` is about this server alone. */
  name: z
    .string()
    .max(32)
    .regex(/^[a-z][a-z0-9]*([_-][a-z0-9]+)*$/, 'expected lower-case letters and digits, with single _ or -'),
  /** Of all that the server has, those that the role gets; left out: all. */
  tools: z.array(z.string().min(1).max(256)).min(1).max(128).optional(),
  /** What doing a call twice would do, where that is not to be taken from the server's word. */
  effects: z.record(z.string(), z.enum(['none', 'idempotent', 'once'])).default({}),
  /** The longest that one call may take, in milliseconds. */
  timeout_ms: z.int().min(100).max(3_600_000).default(120_000),
};

const server = z
  .strictObject({
    ...shared,
    /** A program and its arguments, which speaks MCP on its standard input and output. */
    command: z.array(z.string().min(1).max(4_096)).min(1).max(100).optional(),
    /** Variables of the worker's environment that the program gets; PATH it gets in any case, others not. */
    env: z.array(variable).max(50).optional(),
    cwd: z.string().min(1).optional(),
    /** Of a server that speaks streamable HTTP. */
    url: z.url({ protocol: /^https?$/, error: 'expected an http or https address' }).optional(),
    /** Headers whose values are variables of the worker's environment. */
    headers_from_env: z
      .record(z.string().regex(/^[A-Za-z0-9-]+$/, 'expected the name of a header'), variable)
      .optional(),
  })
  .transform((found, context) => {
    const { command, env = [], cwd, url, headers_from_env = {}, ...rest } = found;
    const bad = (message: string) => {
      context.issues.push({ code: 'custom', input: found, message });
      return z.NEVER;
    };
    if (command !== undefined && url === undefined) {
      if (found.headers_from_env !== undefined)
        return bad('found headers_from_env, expected it with url only');
      return { ...rest, kind: 'stdio' as const, command, env, cwd: cwd ?? null };
    }
    if (url === undefined || command !== undefined) return bad('expected either command or url');
    if (found.env !== undefined || cwd !== undefined)
      return bad('found env or cwd, expected them with command only');
    return { ...rest, kind: 'http' as const, url, headers_from_env };
  });

export const mcpFrontMatter = z
  .array(server)
  .max(20)
  .superRefine((servers, context) => {
    for (const [index, { name }] of servers.entries()) {
      if (servers.findIndex((each) => each.name === name) === index) continue;
      const message = `found ${name} twice, expected another name for each server`;
      context.addIssue({ code: 'custom', path: [index, 'name'], message });
    }
  })
  .default([]);

export type McpServer = z.output<typeof server>;
export type McpStdioServer = Extract<McpServer, { kind: 'stdio' }>;
export type McpHttpServer = Extract<McpServer, { kind: 'http' }>;
