import { catalogue, Failure, isFailureCode, isRetried } from '#chassis/failures.ts';
import type { MissionOptions, MissionPolicy, RetryRule } from '#schemas/types.gen.ts';

/**
 * How attempts that fail are tried again: as the mission's rules say; what these leave out, as the file of the role said
 * when the mission was submitted; what that leaves out, as the policy says. Pure: a replay asks again.
 */

const mostRules = 50;
/** Of all roles together: they travel with every mission. */
const mostOfRoles = 500;
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
  const ofRole = ruleFor(policy.options.role_retries, code, role);
  const tried = (rule ?? ofRole) === undefined ? isRetried(code) : !neverAgain.has(code);
  const attempts = rule?.max_attempts || attemptsByRole(ofRole, policy, ofTask) || ofTask;
  const initial_ms = rule?.initial_ms || ofRole?.initial_ms || policy.retry_initial_ms;
  return {
    max_attempts: tried ? attempts : 1,
    initial_ms,
    // Who names a first delay beyond the longest of whom it overrides means it.
    max_ms: rule?.max_ms || Math.max(ofRole?.max_ms || policy.retry_max_ms, initial_ms),
  };
}

/** A task that says how often it is tried is tried no more often because of its role. 0: the role does not say. */
function attemptsByRole(ofRole: RetryRule | undefined, policy: MissionPolicy, ofTask: number): number {
  const attempts = ofRole?.max_attempts ?? 0;
  return ofTask === policy.max_attempts ? attempts : Math.min(attempts, ofTask);
}

/** How long the orchestrator waits after attempt number `attempt` (from 1) failed; ms. */
export const delayAfterAttempt = ({ initial_ms, max_ms }: AttemptRetry, attempt: number): number =>
  Math.min(max_ms, initial_ms * 2 ** Math.min(attempt - 1, 40));

export interface RetryProblem {
  readonly field: 'code' | 'max_attempts' | 'initial_ms' | 'max_ms';
  readonly found: unknown;
  readonly expected: string;
}

/** The first thing that is wrong with a rule, wherever it was written; null: nothing is. */
export function retryProblem({
  code,
  max_attempts,
  initial_ms,
  max_ms,
}: Omit<RetryRule, 'role'>): RetryProblem | null {
  if (code !== '' && !(isFailureCode(code) && catalogue[code].lands === 'task')) {
    return { field: 'code', found: code, expected: 'a code of a task (docs/failures.md)' };
  }
  if (neverAgain.has(code) && max_attempts !== 1) {
    const expected = 'another code, or max_attempts 1: this one is never tried again';
    return { field: 'code', found: code, expected };
  }
  const outside =
    within('max_attempts', max_attempts, mostAttempts) ??
    within('initial_ms', initial_ms, longestDelayMs) ??
    within('max_ms', max_ms, longestDelayMs);
  if (outside !== null) return outside;
  if (max_ms === 0 || max_ms >= initial_ms) return null;
  return { field: 'max_ms', found: max_ms, expected: `at least the first delay, ${initial_ms} ms` };
}

const within = (field: RetryProblem['field'], found: number, most: number): RetryProblem | null =>
  Number.isSafeInteger(found) && found >= 0 && found <= most
    ? null
    : { field, found, expected: `a whole number from 0 to ${most}` };

/** Throws Failure `invalid_mission` that names the field, what was found and what was expected. */
export function checkRetries({
  retries,
  role_retries,
}: Pick<MissionOptions, 'retries' | 'role_retries'>): void {
  checkRules('retries', retries, mostRules);
  checkRules('role_retries', role_retries, mostOfRoles);
  const nobody = role_retries.findIndex(({ role }) => role === '');
  if (nobody >= 0) throw invalid(`role_retries.${nobody}.role: found "", expected the role that says so`);
}

function checkRules(field: string, rules: readonly RetryRule[], most: number): void {
  if (rules.length > most) {
    throw invalid(`${field}: found ${rules.length} rules, expected at most ${most}`);
  }
  for (const [at, rule] of rules.entries()) {
    const wrong = retryProblem(rule);
    if (wrong === null) continue;
    const found = JSON.stringify(wrong.found);
    throw invalid(`${field}.${at}.${wrong.field}: found ${found}, expected ${wrong.expected}`);
  }
}

const invalid = (what: string) => new Failure('invalid_mission', `options.${what}`);
