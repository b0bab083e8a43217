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

/** Tools besides the built-in ones: of this process (`named`), and of the servers of a role (`always`). */
export interface MoreTools {
  /** In the toolbox when the role lists their names, as built-in ones are. */
  readonly named?: readonly Tool[];
  /** In the toolbox in any case. */
  readonly always?: readonly Tool[];
}

const toolboxes = new Map<string, Toolbox>();

/**
 * The toolbox of these names, in their order, whose commands may do what the rules say, and of more tools; one of names
 * alone is made once. Throws `invalid_configuration` for a name that is no tool, and for one that two tools have.
 */
export function toolboxOf(
  names: readonly string[],
  rules: SandboxRules = defaultSandboxRules,
  more: MoreTools = {},
): Toolbox {
  if (more.named !== undefined || more.always !== undefined) return makeToolbox(names, allTools(rules), more);
  const key = JSON.stringify([names, rules]);
  let toolbox = toolboxes.get(key);
  if (!toolbox) {
    toolbox = makeToolbox(names, allTools(rules), more);
    toolboxes.set(key, toolbox);
  }
  return toolbox;
}

function makeToolbox(
  names: readonly string[],
  own: readonly Tool[],
  { named = [], always = [] }: MoreTools,
): Toolbox {
  const known = [...own, ...named];
  const tools = new Map<string, Tool>();
  for (const name of names) {
    const tool = known.find((candidate) => candidate.schema.name === name);
    if (!tool) {
      const expected = known.map(({ schema }) => schema.name).join(', ');
      throw new Failure('invalid_configuration', `found tool ${name}, expected one of ${expected}`);
    }
    tools.set(name, tool);
  }
  for (const tool of always) {
    const { name } = tool.schema;
    if (tools.has(name))
      throw new Failure('invalid_configuration', `found two tools ${name}, expected one of each name`);
    tools.set(name, tool);
  }
  const schemas = [...tools.values()].map((tool) => tool.schema);
  return {
    schemas,
    hash: hash('sha256', JSON.stringify(schemas)),
    prepare(name, argumentsJson) {
      const tool = tools.get(name);
      if (tool) return tool.prepare(argumentsJson);
      const own = tools.size > 0 ? [...tools.keys()].join(', ') : 'none';
      throw new Failure('tool_unknown', `found tool ${name}, expected one of the role's: ${own}`);
    },
  };
}
