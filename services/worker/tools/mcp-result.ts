/** The result of an MCP tool as the agent loop takes it: data, bounded, with what is no text named. */
import { hash } from 'node:crypto';
import { Failure } from '#chassis/failures.ts';
import type { Workspace } from '#worker/workspace.ts';
import type { CallToolResult } from './mcp-connection.ts';
import { fitJson, wholeCharacters } from './output.ts';
import type { ToolContext, ToolResult } from './tool.ts';

type Block = CallToolResult['content'][number];
type Piece = { readonly type: string; readonly text?: string } & Readonly<Record<string, unknown>>;

/** Of an output that was cut, the whole is in the workspace. */
const FOLDER = '.ravenhelm/mcp';
const MOST_PIECES = 200;

/** Output: JSON `{server, content: [{type, text, …}], structured?, whole?}`; `whole`: where all of it is, if it was cut. */
export async function mcpResult(
  server: string,
  result: CallToolResult,
  { workspace, outputLimit }: Pick<ToolContext, 'workspace' | 'outputLimit'>,
): Promise<ToolResult> {
  const pieces: Piece[] = [];
  for (const block of result.content.slice(0, MOST_PIECES)) pieces.push(await pieceOf(block, workspace));
  const { structuredContent: structured } = result;
  const content = structured === undefined ? pieces : pieces.filter(({ text }) => !says(text, structured));
  const all = { server, content, ...(structured === undefined ? {} : { structured }) };
  const whole = JSON.stringify(all);
  const truncated = Buffer.byteLength(whole) > outputLimit || result.content.length > MOST_PIECES;
  const output = truncated ? await cut(server, content, structured, whole, workspace, outputLimit) : whole;
  if (result.isError !== true) return { ok: true, output, truncated };
  const said = pieces.find(({ text }) => text !== undefined)?.text ?? 'it says nothing more';
  return { ok: false, code: 'tool_failed', message: `${server}: ${said.slice(0, 600)}`, output, truncated };
}

async function cut(
  server: string,
  content: readonly Piece[],
  structured: unknown,
  whole: string,
  workspace: Workspace,
  limit: number,
): Promise<string> {
  const path = await keep(whole, 'json', workspace);
  // Structured content cannot be cut and stay what it is: its beginning is shown as text.
  const pieces =
    structured === undefined
      ? content
      : [{ type: 'structured', text: JSON.stringify(structured) }, ...content];
  return fitJson(limit, (piece) => {
    let left = piece;
    const shown: Piece[] = [];
    for (const each of pieces) {
      if (left <= 0) break;
      const text = each.text === undefined ? undefined : beginning(each.text, left);
      const made: Piece = text === undefined ? each : { ...each, text };
      left -= Buffer.byteLength(JSON.stringify(made));
      shown.push(made);
    }
    return { server, content: shown, whole: path };
  });
}

const beginning = (text: string, bytes: number): string =>
  wholeCharacters(Buffer.from(text).subarray(0, bytes)).toString('utf8');

async function pieceOf(block: Block, workspace: Workspace): Promise<Piece> {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text };
    case 'image':
    case 'audio':
      return { type: block.type, mime_type: block.mimeType, ...(await blob(block.data, workspace)) };
    case 'resource_link':
      return { type: block.type, uri: block.uri.slice(0, 2_000), name: block.name.slice(0, 200) };
    case 'resource': {
      const { uri, mimeType: mime_type } = block.resource;
      const named = {
        type: block.type,
        uri: uri.slice(0, 2_000),
        ...(mime_type === undefined ? {} : { mime_type }),
      };
      if ('text' in block.resource) return { ...named, text: block.resource.text };
      return { ...named, ...(await blob(block.resource.blob, workspace)) };
    }
    default:
      throw new Failure('mcp_failed', `${JSON.stringify(block satisfies never)} is no content that is known`);
  }
}

/** In the workspace as the base64 text that it came as: `base64 -d` gives the bytes. */
async function blob(data: string, workspace: Workspace): Promise<Readonly<Record<string, unknown>>> {
  return { path: await keep(data, 'base64', workspace), encoding: 'base64', characters: data.length };
}

/** The same content has the same name, so that it may be kept again. */
async function keep(text: string, ending: string, workspace: Workspace): Promise<string> {
  const path = `${FOLDER}/${hash('sha256', text).slice(0, 24)}.${ending}`;
  await workspace.write(path, text, 'overwrite');
  return path;
}

/** Servers repeat structured content as text, for clients that do not know it. */
function says(text: string | undefined, structured: unknown): boolean {
  if (text === undefined) return false;
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(structured);
  } catch {
    return false;
  }
}
