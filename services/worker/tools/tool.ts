/** What a tool is. Tools tell a model about failures in their result; they throw only when they are aborted. */
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import type { Requirement } from '#worker/awaiting.ts';
import { parseArguments } from '#worker/call-hash.ts';
import type { Workspace } from '#worker/workspace.ts';
import { Capture, outputPath } from './capture.ts';
import { fitJson } from './output.ts';

/** What doing a call twice would do: nothing (`none`), the same as once (`idempotent`), or harm (`once`). */
export type Effect = 'none' | 'idempotent' | 'once';

export type ToolResult =
  | { readonly ok: true; readonly output: string; readonly truncated: boolean }
  | {
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly output: string;
      readonly truncated: boolean;
    };

export interface ToolContext {
  readonly workspace: Workspace;
  /** Aborted when the task must stop: the call ends at once and throws. */
  readonly signal: AbortSignal;
  /** The longest that the call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** The most bytes of `output`; a longer one is put into the workspace, and passed by reference. */
  readonly outputLimit: number;
  /** The same for each try of this very call, different for every other call. */
  readonly idempotencyKey: string;
  /** Number of the call within its attempt. */
  readonly step: number;
}

/** What a model is told of a tool; `parameters` is a JSON schema. */
export interface ToolSchema {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A call whose arguments fit: its effect is known before it runs. */
export interface PreparedCall {
  readonly effect: Effect;
  /** The arguments as the tool gets them, defaults filled in: what a policy decides about. */
  readonly argumentsJson: string;
  run(context: ToolContext): Promise<ToolResult>;
  /** Set when the policy wants a person to be asked first; then `run` refuses, and `approved` is the call itself. */
  readonly ask?: Ask;
  /** Set when the call waits for what another task provides: what it gets is its output, and `run` is never called. */
  readonly requires?: Requirement;
}

/** What a person is asked about a call. */
export interface Ask {
  /** `hashOfCall` of the tool and its arguments: an answer counts for this call alone. */
  readonly hash: string;
  readonly reason: string;
  /** How long an answer is waited for, in milliseconds. */
  readonly expires_ms: number;
  readonly approved: PreparedCall;
}

export interface Tool {
  readonly schema: ToolSchema;
  /** Throws `invalid_arguments`, naming each argument that is wrong. */
  prepare(argumentsJson: string): PreparedCall;
}

/** Makes a tool of its parts. `effect` may depend on the arguments. */
export function defineTool<Input extends z.ZodObject>(parts: {
  name: string;
  description: string;
  input: Input;
  effect: (args: z.output<Input>) => Effect;
  run: (args: z.output<Input>, context: ToolContext) => Promise<ToolResult>;
  /** Of a call that waits for another task. */
  requires?: (args: z.output<Input>) => Requirement;
}): Tool {
  return {
    schema: {
      name: parts.name,
      description: parts.description,
      parameters: parametersOf(parts.input),
    },
    prepare(argumentsJson) {
      const args = parse(parts.input, parts.name, argumentsJson);
      return {
        effect: parts.effect(args),
        argumentsJson: JSON.stringify(args),
        run: (context) => settle(() => parts.run(args, context), context),
        ...(parts.requires === undefined ? {} : { requires: parts.requires(args) }),
      };
    },
  };
}

/** Tools that belong to one task are made for each; what they are told as is the same. */
const parameters = new WeakMap<z.ZodObject, ToolSchema['parameters']>();

function parametersOf(input: z.ZodObject): ToolSchema['parameters'] {
  let known = parameters.get(input);
  if (known === undefined) {
    const { $schema: _, ...made } = z.toJSONSchema(input, { io: 'input' });
    known = made;
    parameters.set(input, known);
  }
  return known;
}

/**
 * Makes a tool of a schema that came as JSON, not from us. `problems` says what is wrong with arguments, or null.
 */
export function defineJsonTool(parts: {
  schema: ToolSchema;
  problems: (args: Readonly<Record<string, unknown>>) => string | null;
  effect: Effect;
  run: (args: Readonly<Record<string, unknown>>, context: ToolContext) => Promise<ToolResult>;
}): Tool {
  return {
    schema: parts.schema,
    prepare(argumentsJson) {
      const args = parseArguments(argumentsJson);
      const problems = parts.problems(args);
      if (problems !== null)
        throw new Failure('invalid_arguments', `${parts.schema.name}: ${problems.slice(0, 1_000)}`);
      return {
        effect: parts.effect,
        argumentsJson: JSON.stringify(args),
        run: (context) => settle(() => parts.run(args, context), context),
      };
    },
  };
}

function parse<Input extends z.ZodObject>(input: Input, tool: string, text: string): z.output<Input> {
  let value: unknown;
  try {
    value = JSON.parse(text === '' ? '{}' : text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure(
      'invalid_arguments',
      `${tool}: found arguments that are not JSON (${why}), expected an object`,
    );
  }
  const parsed = input.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join('.') || 'arguments'}: ${issue.message}`,
  );
  throw new Failure('invalid_arguments', `${tool}: ${problems.join('; ')}`);
}

/** A refusal or an error of the file system is the model's to deal with; an abort is not. */
async function settle(run: () => Promise<ToolResult>, context: ToolContext): Promise<ToolResult> {
  try {
    return await bounded(await run(), context);
  } catch (error) {
    if (context.signal.aborted) throw error;
    const code = error instanceof Failure ? error.code : 'tool_failed';
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, code, message, output: '', truncated: false };
  }
}

/** The output of a tool that does not bound its own: what is too long goes to the workspace, and where it is is told. */
async function bounded(result: ToolResult, context: ToolContext): Promise<ToolResult> {
  const { outputLimit, workspace, idempotencyKey } = context;
  const { output } = result;
  if (output.length * 3 <= outputLimit || Buffer.byteLength(output) <= outputLimit) return result;
  const capture = new Capture({ limit: outputLimit, workspace, path: outputPath(idempotencyKey) });
  await capture.push(Buffer.from(output));
  await capture.end();
  const shorter = fitJson(outputLimit, (piece) => ({
    output: capture.kept.text(piece).text,
    ...(capture.file ? { output_file: capture.file } : {}),
  }));
  return { ...result, output: shorter, truncated: true };
}
