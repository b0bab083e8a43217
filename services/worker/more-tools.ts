/** The tools of a worker process that are not built in: of what the squad has learned, and of MCP servers. */
import type { ServiceContext } from '#chassis/service-context.ts';
import type { Role } from '#roles/load.ts';
import { openKnowledge } from './knowledge-feed.ts';
import { insightToolNames, insightTools, type Sharer } from './tools/insights.ts';
import { type Mcp, openMcp } from './tools/mcp.ts';
import type { MoreTools } from './tools/toolbox.ts';

export interface ProcessTools {
  /** What a task's toolbox has besides the built-in tools. Throws `temporary_failure` when an MCP server is away. */
  of(role: Role, sharer: Sharer, signal: AbortSignal): Promise<MoreTools>;
  stop(deadlineMs: number): Promise<void>;
}

/** Follows the knowledge topic when a role has a tool for it; MCP servers are started when they are first needed. */
export async function openProcessTools(
  context: ServiceContext,
  roles: ReadonlyMap<string, Role>,
): Promise<ProcessTools> {
  const { log, now } = context;
  const stopping = new AbortController();
  const knows = [...roles.values()].some(({ tools }) =>
    tools.some((name) => insightToolNames.includes(name)),
  );
  const feed = knows ? await openKnowledge(context) : null;
  const servers = new Map<string, Mcp>();
  for (const { name, mcp } of roles.values()) {
    if (mcp.length > 0) servers.set(name, openMcp(mcp, { env: process.env, log, signal: stopping.signal }));
  }
  return {
    async of(role, sharer, signal) {
      const named = feed === null ? [] : insightTools(feed, sharer, now);
      const always = await servers.get(role.name)?.tools(signal);
      return { named, ...(always === undefined ? {} : { always }) };
    },
    async stop(deadlineMs) {
      stopping.abort();
      await Promise.all([feed?.stop(deadlineMs), ...[...servers.values()].map((mcp) => mcp.close())]);
    },
  };
}
