import type { FailureCode } from '#chassis/failures.ts';

/** 0 done, 1 failed, 2 bad input or usage, 130 interrupted (as shells have it for Ctrl-C). */
export type ExitCode = 0 | 1 | 2 | 130;

const badInput: ReadonlySet<FailureCode> = new Set([
  'invalid_mission',
  'invalid_plan',
  'invalid_configuration',
  'invalid_arguments',
  'role_unknown',
  'stack_incomplete_address',
]);

export function exitCodeOf(code: FailureCode): ExitCode {
  if (code === 'aborted') return 130;
  return badInput.has(code) ? 2 : 1;
}
