import { asFailure } from '#chassis/failures.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { type Check, type Finding, machineChecks } from '../machine-checks.ts';
import { modelChecks } from '../model-checks.ts';
import { runningChecks } from '../running-checks.ts';

/** Checks what Ravenhelm needs, one line each: ok, warn or fail, and what to do. Exits 1 when something fails. */
export async function doctor(io: Invocation): Promise<ExitCode> {
  const { output } = io;
  const findings: (Finding & { name: string })[] = [];
  for (const check of [...machineChecks(io), ...modelChecks(io), ...runningChecks(io)]) {
    io.signal.throwIfAborted();
    const finding = { name: check.name, ...(await outcome(check)) };
    findings.push(finding);
    if (!output.json) for (const line of lines(io, finding)) output.line(line);
  }
  const ok = findings.every(({ level }) => level !== 'fail');
  if (output.json) output.document({ ok, checks: findings }, true);
  return ok ? 0 : 1;
}

async function outcome(check: Check): Promise<Finding> {
  try {
    return await check.run();
  } catch (error) {
    const { message } = asFailure(error);
    return { level: 'fail', found: message, advice: check.advice };
  }
}

function lines(
  { output: { colors } }: Invocation,
  { name, level, found, advice }: Finding & { name: string },
): string[] {
  const mark = { ok: colors.green('ok  '), warn: colors.yellow('warn'), fail: colors.red('fail') }[level];
  const indent = ' '.repeat(20);
  const first = `${mark}  ${name.padEnd(12)}  ${found.replaceAll('\n', `\n${indent}`)}`;
  return level === 'ok' || advice === undefined
    ? [first]
    : [first, `      ${' '.repeat(12)}  ${colors.dim(advice)}`];
}
