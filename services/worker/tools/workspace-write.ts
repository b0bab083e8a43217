import { z } from 'zod';
import { defineTool } from './tool.ts';

/** Output: JSON `{path, size}`. */
export const workspaceWrite = defineTool({
  name: 'workspace_write',
  description: 'Writes a text file in the workspace, whole or at its end; missing directories are made.',
  input: z.strictObject({
    path: z.string().min(1).describe('Relative to the workspace.'),
    content: z.string(),
    mode: z
      .enum(['create', 'overwrite', 'append'])
      .default('overwrite')
      .describe('create: the file must not exist with other content. append: add to its end.'),
  }),
  effect: ({ mode }) => (mode === 'append' ? 'once' : 'idempotent'),
  async run({ path, content, mode }, { workspace, signal }) {
    signal.throwIfAborted();
    const size = await workspace.write(path, content, mode);
    return { ok: true, output: JSON.stringify({ path, size }), truncated: false };
  },
});
