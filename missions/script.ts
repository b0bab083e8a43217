import type { Script, ScriptedCall } from '#schemas/types.gen.ts';
import type { CallFile } from './file-parts.ts';

/** The short forms of a mission file, as tool calls. */
function scriptedCall(call: CallFile, idempotentTask: boolean): ScriptedCall {
  const made = (tool: string, args: object): ScriptedCall => ({
    tool,
    arguments: JSON.stringify(args),
    allow_failure: call.allow_failure,
  });
  switch (call.kind) {
    case 'run': {
      const idempotent = call.idempotent ?? idempotentTask;
      return made('execute_terminal_command', {
        command: call.run,
        ...(idempotent ? { idempotent } : {}),
        ...(call.timeout > 0 ? { timeout_ms: call.timeout } : {}),
      });
    }
    case 'write':
      return made('workspace_write', { path: call.write, content: call.content, mode: call.mode });
    case 'read':
      return made('workspace_read', { path: call.read });
    case 'list':
      return made('workspace_list', { path: call.list, recursive: call.recursive });
    case 'tool':
      return made(call.tool, call.arguments);
  }
}

/** What a file says of a script, as the scripted model plays it. Null: nothing, so the model of the role thinks. */
export function scriptOf(
  calls: readonly CallFile[] | undefined,
  answer: string,
  idempotent: boolean,
): Script | null {
  return calls === undefined ? null : { calls: calls.map((call) => scriptedCall(call, idempotent)), answer };
}
