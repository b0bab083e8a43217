import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { fitJson, wholeCharacters } from './output.ts';
import { defineTool } from './tool.ts';

/** Output: JSON `{path, size, offset, bytes, encoding, content}`; `truncated` while there is more to read. */
export const workspaceRead = defineTool({
  name: 'workspace_read',
  description: 'Reads a file of the workspace. Go on at offset + bytes when there is more.',
  input: z.strictObject({
    path: z.string().min(1).describe('Relative to the workspace.'),
    offset: z.int().nonnegative().default(0).describe('The first byte to read.'),
    limit: z.int().positive().optional().describe('The most bytes to read.'),
  }),
  effect: () => 'none',
  async run({ path, offset, limit }, { workspace, outputLimit, signal }) {
    signal.throwIfAborted();
    const { file, size } = await workspace.openFile(path);
    try {
      const wanted = Math.min(limit ?? outputLimit, outputLimit, Math.max(0, size - offset));
      const buffer = Buffer.alloc(wanted);
      const { bytesRead } = await file.read(buffer, 0, wanted, offset);
      const content = buffer.subarray(0, bytesRead);
      let bytes = 0;
      const output = fitJson(outputLimit, (piece) => {
        const cut = wholeCharacters(content.subarray(0, piece));
        const encoding = isUtf8(cut) ? 'utf8' : 'base64';
        const shown = encoding === 'utf8' ? cut : content.subarray(0, piece);
        bytes = shown.length;
        return { path, size, offset, bytes, encoding, content: shown.toString(encoding) };
      });
      return { ok: true, output, truncated: offset + bytes < size };
    } finally {
      await file.close();
    }
  },
});
