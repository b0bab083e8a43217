import { hash } from 'node:crypto';
import { Failure } from '#chassis/failures.ts';
import { defaultSandboxRules, type SandboxRules } from '#roles/sandbox-front-matter.ts';
import { terminalCommand } from './execute-terminal-command.ts';
import type { PreparedCall, Tool, ToolSchema } from './tool.ts';
import { workspaceList } from './workspace-list.ts';
import { workspaceRead } from './workspace-read.ts';
import { workspaceWrite } from './workspace-write.ts';

const allTools = (rules: SandboxRules): readonly Tool[] => [
  terminalCommand(rules),
  workspaceRead,
  workspaceWrite,
  workspaceList,
];

export const toolNames: readonly string[] = allTools(defaultSandboxRules).map((tool) => tool.schema.name);

/** The tools that a role may use. */
export interface Toolbox {
  readonly schemas: readonly ToolSchema[];
  /** SHA-256 (hex) of what a model is told of the tools. */
  readonly hash: string;
  /** Throws `tool_unknown` or `invalid_arguments`. */
  prepare(tool: string, argumentsJson: string): PreparedCall;
}

const toolboxes = new Map<string, Toolbox>();

/**
 * The toolbox of these names, whose commands may do what the rules say; there are few, and each is made once. Throws
 * `invalid_configuration` for a name that is no tool.
 */
export function toolboxOf(names: readonly string[], rules: SandboxRules = defaultSandboxRules): Toolbox {
  const key = JSON.stringify([names, rules]);
  let toolbox = toolboxes.get(key);
  if (!toolbox) {
    toolbox = makeToolbox(names, allTools(rules));
    toolboxes.set(key, toolbox);
  }
  return toolbox;
}

function makeToolbox(names: readonly string[], known: readonly Tool[]): Toolbox {
  const tools = new Map<string, Tool>();
  for (const name of names) {
    const tool = known.find((candidate) => candidate.schema.name === name);
    if (!tool) {
      throw new Failure(
        'invalid_configuration',
        `found tool ${name}, expected one of ${toolNames.join(', ')}`,
      );
    }
    tools.set(name, tool);
  }
  const schemas = [...tools.values()].map((tool) => tool.schema);
  return {
    schemas,
    hash: hash('sha256', JSON.stringify(schemas)),
    prepare(name, argumentsJson) {
      const tool = tools.get(name);
      if (tool) return tool.prepare(argumentsJson);
      const own = names.length > 0 ? names.join(', ') : 'none';
      throw new Failure('tool_unknown', `found tool ${name}, expected one of the role's: ${own}`);
    },
  };
}
