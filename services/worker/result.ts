import { wholeCharacters } from './tools/output.ts';
import { directoryName, type Workspace } from './workspace.ts';

/** The most bytes of a task's result: it is on the ledger, and in the context of each task that needs it. */
export const RESULT_LIMIT = 8 * 1024;

/** The result, or its beginning and where the whole of it is in the workspace. */
export async function boundResult(text: string, taskId: string, workspace: Workspace): Promise<string> {
  if (text.length * 3 <= RESULT_LIMIT) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= RESULT_LIMIT) return text;
  const path = `.ravenhelm/results/${directoryName(taskId)}.txt`;
  await workspace.write(path, text, 'overwrite');
  const note = `\n[... cut: all ${bytes.length} bytes are in ${path} of the workspace]`;
  return wholeCharacters(bytes.subarray(0, RESULT_LIMIT - Buffer.byteLength(note))).toString('utf8') + note;
}
