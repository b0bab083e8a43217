import { commands } from './program.ts';
import { runCommand } from './run-command.ts';

/**
 * Runs one command and ends the process with its exit code. What a command needs is loaded when it runs, so that
 * `--help` answers at once.
 */
export async function main(args: readonly string[]): Promise<void> {
  const json = args.includes('--json');
  await runCommand(json, async (signal) => {
    let code = 0;
    const program = commands((action) => async (...given: unknown[]) => {
      const { createOutput } = await import('./output.ts');
      const { stdout, stderr, env } = process;
      const output = createOutput({ stdout, stderr, env, json });
      // Commander adds its own Command to the arguments.
      code = await action({ output, env, signal }, ...given.slice(0, -1));
    });
    await program.parseAsync([...args], { from: 'user' });
    return code;
  });
}
