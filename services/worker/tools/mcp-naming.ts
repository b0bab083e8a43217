/** What a model is told of the tools of an MCP server, which is a stranger's text: bounded, and named as such. */
import { hash } from 'node:crypto';
import type { McpServer } from '#roles/mcp-front-matter.ts';
import type { ListedTool } from './mcp-connection.ts';
import type { Effect, ToolSchema } from './tool.ts';

/** What every provider takes as the name of a tool. */
const LONGEST_NAME = 64;
const LONGEST_DESCRIPTION = 1_024;
/** Of a description within the arguments. */
const LONGEST_NOTE = 300;
/** Bytes of the JSON schema of one tool's arguments. */
const LARGEST_SCHEMA = 16 * 1024;

/**
 * `mcp__<server>__<tool>`. Where that is too long, or holds what no provider takes, it is shortened or replaced and
 * ends in a hash of the whole, the same one everywhere and always.
 */
export function toolName(server: string, tool: string): string {
  const plain = `mcp__${server}__${tool}`;
  if (/^[a-zA-Z0-9_-]+$/.test(plain) && plain.length <= LONGEST_NAME) return plain;
  const end = `_${hash('sha256', `${server}\0${tool}`).slice(0, 10)}`;
  return plain.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, LONGEST_NAME - end.length) + end;
}

/**
 * What doing a call twice would do: as the role file says; else as the server hints, which counts for nothing but
 * whether a call is repeated whose outcome a crash hid. Hints that contradict each other, or none: `once`.
 */
export function effectOf(server: McpServer, { name, annotations }: ListedTool): Effect {
  if (Object.hasOwn(server.effects, name)) return server.effects[name] ?? 'once';
  if (annotations?.readOnlyHint === true && annotations.destructiveHint !== true) return 'none';
  return annotations?.idempotentHint === true ? 'idempotent' : 'once';
}

/** Null: its schema is too large to be shown. */
export function schemaOf(server: McpServer, tool: ListedTool): ToolSchema | null {
  if (Buffer.byteLength(JSON.stringify(tool.inputSchema)) > LARGEST_SCHEMA) return null;
  const said = visible(tool.description ?? '', LONGEST_DESCRIPTION);
  return {
    name: toolName(server.name, tool.name),
    description: `Tool ${visible(tool.name, 128)} of the MCP server ${server.name}, which describes it so: ${said}`,
    parameters: shown(tool.inputSchema) as Readonly<Record<string, unknown>>,
  };
}

/** Without what a reader does not see, and cut. */
export function visible(text: string, limit: number): string {
  const plain = text.replaceAll(/[\p{Cf}\p{Co}\p{Cn}]|[^\P{Cc}\n\t]/gu, '').toWellFormed();
  return plain.length <= limit ? plain : `${plain.slice(0, limit).toWellFormed()} [... cut]`;
}

/** A copy of a schema with its texts cut. What only a validator needs, and may be used to confuse one, is left out. */
function shown(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(shown);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
    if (hidden.has(key) && typeof value === 'string') return [];
    if (texts.has(key) && typeof value === 'string') return [[key, visible(value, LONGEST_NOTE)]];
    return [[key, shown(value)]];
  });
  return Object.fromEntries(entries);
}

const hidden: ReadonlySet<string> = new Set([
  '$schema',
  '$id',
  '$comment',
  '$anchor',
  '$dynamicAnchor',
  'id',
]);
const texts: ReadonlySet<string> = new Set(['description', 'title']);

/**
 * The schema that arguments are checked against: without names, which could refer to another tool's, and without
 * regular expressions, with which a server could hang the worker. The server checks them anyway.
 */
export function checkable(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(checkable);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
    if ((hidden.has(key) || patterns.has(key)) && typeof value === 'string') return [];
    if (key === 'patternProperties') return [];
    return [[key, checkable(value)]];
  });
  return Object.fromEntries(entries);
}

const patterns: ReadonlySet<string> = new Set(['pattern', 'format']);
