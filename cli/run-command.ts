import { CommanderError } from 'commander';
import { type ExitCode, exitCodeOf } from './exit-code.ts';

/** Runs what a person asked for, tells its failure, and ends the process with its exit code. */
export async function runCommand(
  json: boolean,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<never> {
  // `ravenhelm events … | head` closes our output; that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  process.stderr.on('error', () => undefined);
  const interrupted = interruptible();
  let code: number;
  try {
    code = await work(interrupted);
  } catch (error) {
    code = await tellError(error, json, interrupted);
  }
  process.exit(code);
}

async function tellError(error: unknown, json: boolean, interrupted: AbortSignal): Promise<ExitCode> {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const [{ createOutput }, { plainText }, { asFailure, Failure }] = await Promise.all([
    import('./output.ts'),
    import('./terminal-text.ts'),
    import('#chassis/failures.ts'),
  ]);
  const { stdout, stderr, env } = process;
  const output = createOutput({ stdout, stderr, env, json });
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
    // Help without a command was already printed to standard error.
    if (error.code !== 'commander.help') output.fail(new Failure('invalid_arguments', message));
    return 2;
  }
  if (interrupted.aborted) return 130;
  const failure = asFailure(error);
  output.fail(failure);
  if (env['RAVENHELM_DEBUG']) stderr.write(plainText(`${failure.stack}\ncause: ${String(failure.cause)}\n`));
  return exitCodeOf(failure.code);
}

/** Ctrl-C asks the command to end; a second one does not ask. */
function interruptible(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  }
  return controller.signal;
}
