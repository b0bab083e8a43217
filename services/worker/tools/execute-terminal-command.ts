import { dirname } from 'node:path';
import { z } from 'zod';
import { fitJson } from './output.ts';
import { type CommandOutcome, runCommand } from './run-command.ts';
import { defineTool, type ToolResult } from './tool.ts';

const text = z
  .string()
  .min(1)
  .max(100_000)
  .refine((value) => !value.includes('\0'), 'contains NUL');

const input = z
  .strictObject({
    command: text.optional().describe('A shell command, run by /bin/sh -c in the workspace.'),
    argv: z
      .array(text)
      .min(1)
      .max(1_000)
      .optional()
      .describe('A program and its arguments, run without a shell.'),
    timeout_ms: z.int().positive().optional().describe('Stop it after this time. Default: 60000.'),
    idempotent: z
      .boolean()
      .default(false)
      .describe('True if running it twice does the same as once; else it is never run again after a crash.'),
  })
  .refine((args) => (args.command === undefined) !== (args.argv === undefined), {
    message: 'expected either command or argv',
  });

const DEFAULT_TIMEOUT_MS = 60_000;

/** Output: JSON `{exit_code, signal, timed_out, stdout, stderr}`; not ok unless the exit code is 0. */
export const executeTerminalCommand = defineTool({
  name: 'execute_terminal_command',
  description:
    'Runs a command in the mission workspace, with no input and a small environment. Processes that it leaves ' +
    'behind are killed when it ends.',
  input,
  effect: (args) => (args.idempotent ? 'idempotent' : 'once'),
  async run(args, context) {
    const timeoutMs = Math.min(args.timeout_ms ?? DEFAULT_TIMEOUT_MS, context.timeoutMs);
    const cwd = await context.workspace.ensure();
    const outcome = await runCommand(args.argv ?? ['/bin/sh', '-c', args.command ?? ''], {
      cwd,
      env: environment(cwd, context.idempotencyKey),
      timeoutMs,
      signal: context.signal,
      outputLimit: context.outputLimit,
    });
    return report(outcome, timeoutMs, context.outputLimit);
  },
});

/** Nothing of the worker's own environment but where programs are: it may hold keys. */
function environment(home: string, idempotencyKey: string): Record<string, string> {
  return {
    // First the directory of this very Node, so that `node` in a command is the one that Ravenhelm runs on.
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'}`,
    HOME: home,
    LANG: process.env['LANG'] ?? 'C.UTF-8',
    RAVENHELM_IDEMPOTENCY_KEY: idempotencyKey,
  };
}

function report(outcome: CommandOutcome, timeoutMs: number, limit: number): ToolResult {
  let truncated = false;
  const output = fitJson(limit, (piece) => {
    const out = outcome.stdout.text(Math.ceil(piece * 0.75));
    const err = outcome.stderr.text(Math.ceil(piece * 0.25));
    truncated = out.truncated || err.truncated;
    return {
      exit_code: outcome.exitCode,
      signal: outcome.endedBy,
      timed_out: outcome.timedOut,
      stdout: out.text,
      stderr: err.text,
    };
  });
  if (outcome.exitCode === 0 && !outcome.timedOut) return { ok: true, output, truncated };
  const how = outcome.timedOut
    ? `stopped after ${timeoutMs} ms`
    : outcome.exitCode === null
      ? `ended by ${outcome.endedBy}`
      : `exit code ${outcome.exitCode}`;
  const said = (outcome.stderr.total > 0 ? outcome.stderr : outcome.stdout).text(600).text.trim();
  return {
    ok: false,
    code: outcome.timedOut ? 'timeout' : 'tool_failed',
    message: said === '' ? how : `${how}: ${said}`,
    output,
    truncated,
  };
}
