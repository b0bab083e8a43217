import { dirname } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import type { SandboxRules } from '#roles/sandbox-front-matter.ts';
import { Capture, outputPath } from './capture.ts';
import { fitJson } from './output.ts';
import { counted, processCount } from './process-group.ts';
import { type CommandOutcome, INFO_FD, runCommand } from './run-command.ts';
import { enclose, probeSandbox, type Sandbox } from './sandbox.ts';
import { defineTool, type Tool, type ToolResult } from './tool.ts';

const text = z
  .string()
  .max(100_000)
  .refine((value) => !value.includes('\0'), 'contains NUL');

const common = {
  argv: z.array(text).min(1).max(1_000).describe('A program and its arguments, run without a shell.'),
  timeout_ms: z.int().positive().optional().describe('Stop it after this time. Default: 60000.'),
  idempotent: z
    .boolean()
    .default(false)
    .describe('True if running it twice does the same as once; else it is never run again after a crash.'),
};

const withoutShell = z.strictObject(common, {
  error: (issue) =>
    issue.code === 'unrecognized_keys' && issue.keys.includes('command')
      ? 'found command, but the role has no shell (sandbox: { shell: true } in its file); expected argv'
      : undefined,
});

const withShell = z
  .strictObject({
    command: text.min(1).optional().describe('A shell command, run by /bin/sh -c in the workspace.'),
    ...common,
    argv: common.argv.optional(),
  })
  .refine((args) => (args.command === undefined) !== (args.argv === undefined), {
    message: 'expected either command or argv',
  });

const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * The tool for a role with these rules. Output: JSON `{exit_code, signal, timed_out, sandbox, stdout, stderr}`; not ok
 * unless the exit code is 0. Of an output that does not fit there are the beginning and the end, and in `stdout_file`
 * or `stderr_file` where the whole is: `{path, bytes, complete}`.
 * Throws `path_refused` for a program outside the workspace named by a relative path, and `sandbox_missing`.
 */
export function terminalCommand(rules: SandboxRules, machine: () => Promise<Sandbox> = probeSandbox): Tool {
  return defineTool({
    name: 'execute_terminal_command',
    description:
      'Runs a command in the mission workspace, with no input and a small environment. Processes that it leaves ' +
      `behind are killed when it ends.${rules.shell ? '' : ' There is no shell.'}`,
    input: rules.shell ? withShell : withoutShell,
    effect: (args) => (args.idempotent ? 'idempotent' : 'once'),
    async run(args, { workspace, idempotencyKey, outputLimit, signal, ...context }) {
      const timeoutMs = Math.min(args.timeout_ms ?? DEFAULT_TIMEOUT_MS, context.timeoutMs);
      const line = 'command' in args ? args.command : undefined;
      const argv = line === undefined ? checked(args.argv ?? []) : ['/bin/sh', '-c', line];
      const cwd = await workspace.ensure();
      const sandbox = await machine();
      if (sandbox.kind === 'none' && rules.required) {
        throw new Failure('sandbox_missing', `the role requires a sandbox; found none: ${sandbox.why}`);
      }
      const env = environment(cwd, idempotencyKey);
      const kept = { limit: outputLimit, workspace };
      const captures = {
        stdout: new Capture({ ...kept, path: outputPath(idempotencyKey) }),
        stderr: new Capture({ ...kept, path: outputPath(idempotencyKey, '.stderr') }),
      };
      const options = { cwd, env, timeoutMs, signal, ...captures };
      try {
        const outcome =
          sandbox.kind === 'none'
            ? await runCommand(argv, options)
            : await counted(
                enclose(argv, sandbox, { rules, workspace: cwd, env, infoFd: INFO_FD }),
                rules.processes,
                (enclosed) => runCommand(enclosed, { ...options, sandboxed: true }),
              );
        return await report(outcome, captures, await spoken(sandbox), timeoutMs, outputLimit);
      } finally {
        await captures.stdout.end();
        await captures.stderr.end();
      }
    },
  });
}

/** What the model, and whoever reads the journal, is told of the sandbox. */
async function spoken(sandbox: Sandbox): Promise<string> {
  if (sandbox.kind === 'none') return `none: ${sandbox.why}`;
  return (await processCount()).by === 'nothing'
    ? 'bubblewrap, number of processes not limited'
    : 'bubblewrap';
}

/** A relative path of a program stays in the workspace, and nothing is taken for an option of what starts it. */
function checked(argv: readonly string[]): readonly string[] {
  const [program = ''] = argv;
  if (program === '' || program.startsWith('-')) {
    throw new Failure('invalid_arguments', `argv.0: found ${JSON.stringify(program)}, expected a program`);
  }
  if (!program.startsWith('/') && program.split('/').includes('..')) {
    throw new Failure('path_refused', `argv.0: found ${JSON.stringify(program)}, which contains ".."`);
  }
  return argv;
}

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

async function report(
  outcome: CommandOutcome,
  { stdout, stderr }: { stdout: Capture; stderr: Capture },
  sandbox: string,
  timeoutMs: number,
  limit: number,
): Promise<ToolResult> {
  let cut: Capture[] = [];
  const make = () =>
    fitJson(limit, (piece) => {
      const out = stdout.kept.text(Math.ceil(piece * 0.75));
      const err = stderr.kept.text(Math.ceil(piece * 0.25));
      cut = [...(out.truncated ? [stdout] : []), ...(err.truncated ? [stderr] : [])];
      return {
        exit_code: outcome.exitCode,
        signal: outcome.endedBy,
        timed_out: outcome.timedOut,
        sandbox,
        stdout: out.text,
        stderr: err.text,
        ...(out.truncated && stdout.file ? { stdout_file: stdout.file } : {}),
        ...(err.truncated && stderr.file ? { stderr_file: stderr.file } : {}),
      };
    });
  let output = make();
  // What is cut only because it does not fit beside the rest is not in a file yet.
  for (let unsaved = cut; unsaved.length > 0; unsaved = cut.filter((each) => !unsaved.includes(each))) {
    for (const each of unsaved) await each.save();
    output = make();
  }
  const truncated = cut.length > 0;
  if (outcome.exitCode === 0 && !outcome.timedOut) return { ok: true, output, truncated };
  const how = outcome.timedOut
    ? `stopped after ${timeoutMs} ms`
    : outcome.exitCode === null
      ? `ended by ${outcome.endedBy}`
      : `exit code ${outcome.exitCode}`;
  const said = readable((stderr.kept.total > 0 ? stderr : stdout).kept.text(600).text);
  return {
    ok: false,
    code: outcome.timedOut ? 'timeout' : 'tool_failed',
    message: said === '' ? how : `${how}: ${said}`,
    output,
    truncated,
  };
}

/** A message is shown on terminals: nothing in it may move their cursor or change what they have shown. */
const readable = (said: string): string =>
  // oxlint-disable-next-line no-control-regex
  stripVTControlCharacters(said)
    .replaceAll(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '')
    .trim();
