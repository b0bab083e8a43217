import { z } from 'zod';
import { fitJson } from './output.ts';
import { defineTool } from './tool.ts';

const LIMIT = 2_000;

/** Output: JSON `{path, entries: [{path, kind, size}]}`, sorted. */
export const workspaceList = defineTool({
  name: 'workspace_list',
  description: 'Lists the files and directories of the workspace.',
  input: z.strictObject({
    path: z.string().default('.').describe('A directory, relative to the workspace.'),
    recursive: z.boolean().default(false),
  }),
  effect: () => 'none',
  async run({ path, recursive }, { workspace, outputLimit, signal }) {
    const listed = await workspace.list(path, { recursive, limit: LIMIT, signal });
    let shown = listed.entries.length;
    const output = fitJson(outputLimit, (piece) => {
      // An entry takes more than 40 bytes.
      shown = Math.min(listed.entries.length, Math.ceil(piece / 40));
      return { path, entries: listed.entries.slice(0, shown) };
    });
    return { ok: true, output, truncated: listed.truncated || shown < listed.entries.length };
  },
});
