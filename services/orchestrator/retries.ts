import { catalogue, Failure, isFailureCode, isRetried } from '#chassis/failures.ts';
import type { MissionPolicy, RetryRule } from '#schemas/types.gen.ts';

/** How attempts that fail are tried again, by the rules of the mission. Pure: a replay asks again. */

const mostRules = 50;
const mostAttempts = 20;
const longestDelayMs = 24 * 60 * 60 * 1000;
/** Doing it again would do what nobody may, or what may be done already. */
const neverAgain: ReadonlySet<string> = new Set(['unauthorized', 'safety_violation', 'outcome_unknown']);

export interface AttemptRetry {
  /** Attempts in all; 1: it is not tried again. */
  readonly max_attempts: number;
  readonly initial_ms: number;
  readonly max_ms: number;
}

/** The rule that names most counts; of equals the one that names the code, and of those the last. */
function ruleFor(rules: readonly RetryRule[], code: string, role: string): RetryRule | undefined {
  const weight = (rule: RetryRule) => (rule.code === '' ? 0 : 2) + (rule.role === '' ? 0 : 1);
  return rules
    .filter((rule) => (rule.code === '' ? isRetried(code) : rule.code === code))
    .filter((rule) => rule.role === '' || rule.role === role)
    .reduce<RetryRule | undefined>(
      (best, rule) => (best === undefined || weight(rule) >= weight(best) ? rule : best),
      undefined,
    );
}

/** @param ofTask How many attempts the task may have. */
export function attemptRetry(
  policy: MissionPolicy,
  code: string,
  role: string,
  ofTask: number,
): AttemptRetry {
  const rule = ruleFor(policy.options.retries, code, role);
  const tried = rule === undefined ? isRetried(code) : !neverAgain.has(code);
  const initial_ms = rule?.initial_ms || policy.retry_initial_ms;
  return {
    max_attempts: tried ? rule?.max_attempts || ofTask : 1,
    initial_ms,
    // Who names a first delay beyond the policy's longest means it.
    max_ms: rule?.max_ms || Math.max(policy.retry_max_ms, initial_ms),
  };
}

/** How long the orchestrator waits after attempt number `attempt` (from 1) failed; ms. */
export const delayAfterAttempt = ({ initial_ms, max_ms }: AttemptRetry, attempt: number): number =>
  Math.min(max_ms, initial_ms * 2 ** Math.min(attempt - 1, 40));

/** Throws Failure `invalid_mission` that names the field, what was found and what was expected. */
export function checkRetries(rules: readonly RetryRule[]): void {
  if (rules.length > mostRules) {
    throw invalid('', `found ${rules.length} rules, expected at most ${mostRules}`);
  }
  for (const [at, rule] of rules.entries()) {
    const { code, max_attempts, initial_ms, max_ms } = rule;
    if (code !== '' && !(isFailureCode(code) && catalogue[code].lands === 'task')) {
      throw invalid(
        `${at}.code`,
        `found ${JSON.stringify(code)}, expected a code of a task (docs/failures.md)`,
      );
    }
    if (neverAgain.has(code) && max_attempts !== 1) {
      throw invalid(`${at}.code`, `found ${code}, which is never tried again`);
    }
    within(`${at}.max_attempts`, max_attempts, mostAttempts);
    within(`${at}.initial_ms`, initial_ms, longestDelayMs);
    within(`${at}.max_ms`, max_ms, longestDelayMs);
    if (max_ms !== 0 && max_ms < initial_ms) {
      throw invalid(`${at}.max_ms`, `found ${max_ms}, expected at least initial_ms, ${initial_ms}`);
    }
  }
}

function within(field: string, found: number, most: number): void {
  if (Number.isSafeInteger(found) && found >= 0 && found <= most) return;
  throw invalid(field, `found ${found}, expected a whole number from 0 to ${most}`);
}

const invalid = (field: string, what: string) =>
  new Failure('invalid_mission', `options.retries${field === '' ? '' : `.${field}`}: ${what}`);
